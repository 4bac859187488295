"""Families of a set: near-duplicate clusters that leak, such as the slices of a subject."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gellib.base.cached_json import cached_json
from gellib.data import ImageSet
from gellib.data.duplicates.clusters import Clusters, find_clusters
from gellib.data.duplicates.groups import Duplicates
from gellib.data.duplicates.image_summary import ImageSummary
from gellib.data.reading_libraries import reading_versions

# Raised whenever the same images give other families than before, so that old files are not used.
_VERSION = 3
# Sets of several labels that fewer images have share one number: they are too rare to compare.
_RARE = 5


@dataclass(frozen=True)
class Families:
    """Files of each family, and the accuracies that show that they leak, as in `Clusters`."""

    groups: tuple[tuple[str, ...], ...] = ()
    nn_random: float | None = None
    nn_grouped: float | None = None

    @property
    def images(self) -> int:
        """How many images are in a family."""
        return sum(map(len, self.groups))

    def cross_split(self, splits: dict[str, str]) -> list[str]:
        """Return the test images whose family has images in another split, given by file."""
        found: list[str] = []
        for files in self.groups:
            where = {splits[file] for file in files}
            if "test" in where and len(where) > 1:
                found += [file for file in files if splits[file] == "test"]
        return found

    def links(self, splits: dict[str, str]) -> Duplicates:
        """Link the files of each family, for `group_images`; given splits stay apart."""
        pairs: list[tuple[str, str, float]] = []
        for files in self.groups:
            given = sorted({splits[file] for file in files} - {""}, key=("test", "val").count)
            for number, split in enumerate(given or [""]):
                # Images that no split is given for join the family's training images.
                own = (split, "") if number == 0 else (split,)
                first, *rest = [file for file in files if splits[file] in own]
                pairs += [(min(first, file), max(first, file), 0.0) for file in rest]
        return Duplicates(near=tuple(pairs))


def find_families(
    imageset: ImageSet,
    duplicates: Duplicates,
    summaries: Callable[[], Sequence[ImageSummary]],
    *,
    cache_dir: Path,
) -> Families:
    """Find the families of a set, where the check is sure of them; see `find_clusters`.

    Parameters
    ----------
    imageset
        The images, with their digests.
    duplicates
        Their duplicates.
    summaries
        Returns `summarise_images` of them; called where the families are not known yet.
    cache_dir
        Folder where they are kept, under the digests and labels of the files.
    """
    table = imageset.table
    files, digests = list(table["file"]), list(table["digest"])
    labels = label_codes(imageset)
    place = {file: row for row, file in enumerate(files)}
    pairs = [[place[a], place[b]] for a, b, _ in duplicates.pairs()]

    def compute() -> dict[str, Any]:
        seen = summaries()
        readable = [row for row, summary in enumerate(seen) if summary.thumbnail is not None]
        position = {row: number for number, row in enumerate(readable)}
        groups = [[position[place[f]] for f in group] for group in duplicates.groups()]
        thumbnails = np.array([seen[row].thumbnail for row in readable])
        found: Clusters = find_clusters(thumbnails, labels[np.array(readable, int)], groups)
        return {
            "groups": [[int(readable[i]) for i in rows] for rows in found.groups],
            "nn_random": found.nn_random,
            "nn_grouped": found.nn_grouped,
        }

    facts = [_VERSION, reading_versions(), digests, labels.tolist(), pairs]
    found = cached_json(cache_dir, "families", facts, compute)
    groups = tuple(tuple(sorted(files[row] for row in rows)) for rows in found["groups"])
    return Families(groups, found["nn_random"], found["nn_grouped"])


def label_codes(images: ImageSet) -> np.ndarray:
    """Number the labels; each set of several labels has one number, rare sets share one."""
    if images.task.exclusive:
        return images.table["label"].to_numpy(int)
    codes, sets = images.table["label"].factorize()
    counts = np.bincount(codes, minlength=len(sets))
    codes[counts[codes] < _RARE] = len(sets)
    return np.unique(codes, return_inverse=True)[1]
