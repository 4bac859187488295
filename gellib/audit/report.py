"""What the check found in a data set, and what it says of it: `CheckReport`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gellib.audit.outliers import Outlier
from gellib.audit.shortcut_sentences import sentences
from gellib.audit.shortcuts import Shortcut
from gellib.data import ImageSet
from gellib.data.duplicates import (
    LARGEST_SET,
    Clusters,
    Duplicates,
    conflicting_pairs,
    cross_split_pairs,
)
from gellib.data.file_notes import (
    blank_page_sentences,
    left_out_sentence,
    page_sentences,
)
from gellib.data.folds import find_refusals
from gellib.data.image_files import ImageInfo

# Largest class to smallest from which class imbalance is reported. No benchmark set it.
_IMBALANCE = 10


@dataclass(frozen=True)
class CheckReport:
    """Everything that the check found in a data set.

    Files are named as in the column `file` of `images`, that is relative to its folder. `clusters`
    holds the files of each near-duplicate cluster, `leak` the evidence that clusters leak,
    `unreadable` pairs of file and reason, `left_out` the number of files that are not read, by
    extension, `keep` the copy to keep of each group of duplicates, in the order of
    `duplicates.groups()`.
    """

    images: ImageSet
    infos: tuple[ImageInfo, ...]
    duplicates: Duplicates
    clusters: tuple[tuple[str, ...], ...]
    leak: Clusters
    shortcuts: tuple[Shortcut, ...]
    outliers: tuple[Outlier, ...]
    unreadable: tuple[tuple[str, str], ...]
    left_out: dict[str, int] = field(default_factory=dict)
    keep: tuple[str, ...] = ()

    @property
    def classes(self) -> dict[str, int]:
        """Number of images of each class."""
        return {str(name): int(n) for name, n in self.images.counts().sum(axis=1).items()}

    @property
    def verdict(self) -> list[str]:
        """What is wrong, one sentence per problem; empty if nothing is."""
        return [
            *self.images.problems,
            *find_refusals(self.images),
            *self._about_files(),
            *self._about_duplicates(),
            *([self.leak.sentence()] if self.leak.sentence() else []),
            *sentences(self.shortcuts),
        ]

    @property
    def notes(self) -> list[str]:
        """How the set was read, one sentence each: labels, pages, files that were left out."""
        pages = page_sentences(self.infos, self.images.root)
        left_out = left_out_sentence(self.left_out)
        notes = [*self.images.notes, *pages, *([left_out] if left_out else [])]
        if len(self.images) > LARGEST_SET:
            notes.append(
                f"The set has more than {LARGEST_SET:,} images: copies that are turned by a few "
                "degrees, cropped by more than a tenth per side, or panels of a figure were not "
                "looked for."
            )
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `gellib check --json` prints them."""
        return {
            "duplicates": {
                "exact": [list(pair) for pair in self.duplicates.exact],
                "near": [list(pair) for pair in self.duplicates.near],
            },
            "groups": self.duplicates.groups(),
            "keep": list(self.keep),
            "clusters": {
                "count": len(self.clusters),
                "sizes": sorted(map(len, self.clusters), reverse=True),
                "nn_random": self.leak.nn_random,
                "nn_grouped": self.leak.nn_grouped,
            },
            "shortcuts": [s.to_dict() for s in self.shortcuts],
            "unreadable": [{"file": file, "reason": reason} for file, reason in self.unreadable],
            "left_out": self.left_out,
            "classes": self.classes,
            "notes": self.notes,
            "verdict": self.verdict,
        }

    def _about_files(self) -> list[str]:
        found = []
        if self.unreadable:
            n = len(self.unreadable)
            found.append(
                f"{n} file{' cannot' if n == 1 else 's cannot'} be read, such as "
                f"{self.unreadable[0][0]} ({self.unreadable[0][1]}); a run stops at the first "
                "unless skip_bad_images is on."
            )
        found += blank_page_sentences(self.infos, self.images.root)
        counts = self.classes
        small, large = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        if counts[large] >= _IMBALANCE * max(counts[small], 1):
            found.append(
                f"The classes are imbalanced: {large} has {counts[large]} images, {small} "
                f"{counts[small]}; always predicting {large} is right on "
                f"{counts[large] / sum(counts.values()):.0%}."
            )
        return found

    def _about_duplicates(self) -> list[str]:
        found, pairs = [], self.duplicates.pairs()
        groups = self.duplicates.groups()
        if groups:
            near, exact = len(self.duplicates.near), len(self.duplicates.exact)
            kinds = [f"{exact} exact"] * bool(exact) + [f"{near} near"] * bool(near)
            a, b, distance = pairs[0]
            best = [file for file in self.keep if file in (a, b)]
            kept = f"; {best[0]} is the larger or sharper copy" if best else ""
            if (a, b) in self.duplicates.exact:
                kept = "; they have the same pixels"
            found.append(
                f"{sum(map(len, groups))} images are duplicates in {len(groups)} "
                f"group{'' if len(groups) == 1 else 's'} ({' and '.join(kinds)} "
                f"pair{'' if len(pairs) == 1 else 's'}), such as {a} and {b} (distance "
                f"{distance:g}){kept}. A run keeps each group in one split; other software "
                "may separate them and test on images that it was trained on."
            )
        separated = cross_split_pairs(self.images, self.duplicates)
        if separated:
            one = len(separated) == 1
            found.append(
                f"{len(separated)} {'pair' if one else 'pairs'} of duplicates "
                f"{'lies' if one else 'lie'} in two given splits of the set, such as "
                f"{separated[0][0]} and {separated[0][1]}: the test is in part a test of memory. "
                "Remove one of each."
            )
        conflicts = conflicting_pairs(self.images, self.duplicates)
        if conflicts:
            found.append(
                f"{len(conflicts)} pair{' has' if len(conflicts) == 1 else 's have'} different "
                f"labels on one image, such as {conflicts[0][0]} and {conflicts[0][1]}: one label "
                "is wrong."
            )
        return found
