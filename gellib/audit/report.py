"""Decode a data set once and report what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gellib.audit.file_properties import image_properties
from gellib.audit.outliers import Outlier, find_outliers
from gellib.audit.shortcut_sentences import sentences
from gellib.audit.shortcuts import Shortcut, find_shortcuts
from gellib.data import ImageSet, load_imageset
from gellib.data.duplicates import (
    LARGEST_SET,
    Clusters,
    Duplicates,
    best_copy,
    conflicting_pairs,
    cross_split_pairs,
    find_clusters,
    find_duplicates,
    label_codes,
    summarise_images,
)
from gellib.data.file_notes import (
    blank_page_sentences,
    left_out_files,
    left_out_sentence,
    page_sentences,
)
from gellib.data.folds import find_refusals
from gellib.data.image_files import ImageInfo, ImageLimits

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


def check_dataset(
    dataset_dir: str | Path,
    *,
    test_dir: str | Path = "",
    limits: ImageLimits | None = None,
    seed: int = 0,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> CheckReport:
    """Decode every image of a set once, and find what would make its results unreliable.

    Parameters
    ----------
    dataset_dir
        Folder of the images, in any layout that `load_imageset` knows.
    test_dir
        Separate folder of test images; empty: none.
    limits
        Largest file and image that are read.
    seed
        Seed of the splits with which shortcuts and near-duplicate clusters are measured.
    progress
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.

    Raises
    ------
    DatasetError
        When the folder is not a data set.
    """
    images = load_imageset(dataset_dir, test_dir=test_dir).with_digests()
    return check_images(images, limits=limits, seed=seed, progress=progress)


def check_images(
    images: ImageSet,
    *,
    limits: ImageLimits | None = None,
    seed: int = 0,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> CheckReport:
    """Check a set that is loaded.

    Parameters
    ----------
    images
        The set, with the digests of its files.
    limits, seed, progress
        As for `check_dataset`.
    """
    paths = list(images.table["path"])
    summaries = summarise_images(paths, limits, traits=True, progress=progress)
    duplicates = find_duplicates(images, summaries=summaries, progress=progress)
    files, labels = list(images.table["file"]), label_codes(images)
    place = {file: row for row, file in enumerate(files)}
    readable = [row for row, summary in enumerate(summaries) if summary.thumbnail is not None]
    position = {row: number for number, row in enumerate(readable)}
    shown = duplicates.only({files[row] for row in readable})
    groups = [[position[place[file]] for file in group] for group in shown.groups()]
    thumbnails = np.array([summaries[row].thumbnail for row in readable])
    leak = find_clusters(thumbnails, labels[np.array(readable, int)], groups, seed=seed)
    clusters = tuple(tuple(files[readable[i]] for i in rows) for rows in leak.groups)
    # Images of one group or cluster are not independent: only the first one of each is used.
    others = {i for rows in (*groups, *leak.groups) for i in sorted(rows)[1:]}
    alone = [row for number, row in enumerate(readable) if number not in others]
    shortcuts = find_shortcuts(
        image_properties([summaries[row] for row in alone]),
        labels[np.array(alone, int)],
        seed=seed,
        traits=[traits for row in alone if (traits := summaries[row].traits) is not None],
        class_names=images.classes if images.task.exclusive else (),
    )
    return CheckReport(
        images=images,
        infos=tuple(summary.info for summary in summaries),
        duplicates=duplicates,
        clusters=clusters,
        leak=leak,
        shortcuts=tuple(shortcuts),
        outliers=tuple(
            find_outliers([files[row] for row in readable], [summaries[row] for row in readable])
        ),
        unreadable=tuple(
            (file, summary.info.reason)
            for file, summary in zip(files, summaries, strict=True)
            if summary.info.reason
        ),
        left_out=left_out_files(images),
        keep=tuple(
            group[best_copy([summaries[place[file]] for file in group])] for group in shown.groups()
        ),
    )
