"""Duplicates in a run: kept together in one split, counted, and warned about where they are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from gellib.data import ImageSet
from gellib.data.duplicates import (
    Duplicates,
    count_reassigned,
    cross_split_pairs,
    find_duplicates,
    group_images,
)
from gellib.data.image_files import ImageLimits
from gellib.data.splits import SplitError

# Fewer images take seconds, and a bar would be all that is left of them in the notebook.
_BAR_FROM = 500


@dataclass(frozen=True)
class DuplicatesFound:
    """What a run reports about its duplicates.

    `images` counts the images in one of `groups`; `reassigned` those of them that a split which
    ignores duplicates separates from most of their group; `cross_split_pairs` are in two splits
    that the data set gives. `given` is whether the data set itself has each group of duplicates
    within a group of its own, such as the slices of one person; `problem` is why no split could
    keep groups together, or empty.
    """

    exact: int = 0
    near: int = 0
    groups: int = 0
    images: int = 0
    reassigned: int = 0
    cross_split_pairs: tuple[tuple[str, str, float], ...] = ()
    given: bool = False
    problem: str = ""
    checked: bool = False

    def sentence(self) -> str:
        """Return how many there are and what was done; empty if there are none."""
        if not self.groups or self.problem:
            return ""
        if self.given:
            return (
                f"{self.images} images look like duplicates of another one of their group. The "
                "data set gives these groups, and the split keeps each whole."
            )
        one = self.groups == 1
        return (
            f"{self.images} images are duplicates of each other, in {self.groups} "
            f"group{'' if one else 's'}; the split keeps {'it' if one else 'each'} whole, which "
            f"reassigned {self.reassigned} image{'' if self.reassigned == 1 else 's'}."
        )

    def warning(self) -> str:
        """Name given splits that share an image, or groups that are separated; empty if neither."""
        words = []
        if self.problem:
            words.append(
                f"{self.images} images are duplicates of each other, in {self.groups} groups, and "
                f"no split can keep them together: {self.problem} They are split one by one, so "
                "the test is in part a test of memory. gellib check shows them."
            )
        if self.cross_split_pairs:
            a, b, distance = self.cross_split_pairs[0]
            one = len(self.cross_split_pairs) == 1
            words.append(
                f"{len(self.cross_split_pairs)} {'pair' if one else 'pairs'} of duplicates "
                f"{'lies' if one else 'lie'} in two given splits of the data set, such as {a} and "
                f"{b} (distance {distance:g}): the test is in part a test of memory. Remove one "
                "of each; gellib check shows them."
            )
        return "\n".join(words)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the record."""
        return {
            "checked": self.checked,
            "exact": self.exact,
            "near": self.near,
            "groups": self.groups,
            "images": self.images,
            "reassigned": self.reassigned,
            "given": self.given,
            "problem": self.problem,
            "cross_split_pairs": [list(pair) for pair in self.cross_split_pairs],
        }


def split_with_duplicates(
    images: ImageSet,
    split: Callable[[ImageSet], ImageSet],
    *,
    cache_dir: Path,
    limits: ImageLimits,
) -> tuple[ImageSet, DuplicatesFound]:
    """Split a set so that duplicates stay together, and report what that changed.

    Parameters
    ----------
    images
        The set to split.
    split
        Splits a set; it keeps groups together.
    cache_dir
        Folder of what is known of images from earlier runs.
    limits
        Largest images that are read.

    Raises
    ------
    SplitError
        When the set cannot be split, with or without its duplicates together.
    """
    progress = None
    if len(images) >= _BAR_FROM:

        def progress(items, total):
            return tqdm(items, total=total, desc="duplicates", leave=False)

    found = find_duplicates(images, cache_dir=cache_dir, limits=limits, progress=progress)
    separated = cross_split_pairs(images, found)
    kept = Duplicates(
        tuple(pair for pair in found.exact if (*pair, 0.0) not in separated),
        tuple(pair for pair in found.near if pair not in separated),
    )
    groups = kept.groups()
    problem = ""
    try:
        whole = split(group_images(images, kept))
    except SplitError as err:
        if not groups:
            raise
        whole = split(images)
        problem = str(err)
    return whole, DuplicatesFound(
        exact=len(found.exact),
        near=len(found.near),
        groups=len(groups),
        images=sum(map(len, groups)),
        reassigned=_reassigned(images, split, kept) if groups and not problem else 0,
        problem=problem,
        cross_split_pairs=tuple(separated),
        given=_given(images, groups),
        checked=True,
    )


def _given(images: ImageSet, groups: list[list[str]]) -> bool:
    own = dict(zip(images.table["file"], images.table["group"], strict=True))
    names = [{own[file] for file in files} for files in groups]
    return all(len(name) == 1 and name != {""} for name in names)


def _reassigned(images: ImageSet, split: Callable[[ImageSet], ImageSet], found: Duplicates) -> int:
    try:
        return count_reassigned(split(images), found)
    except SplitError:  # only with its duplicates together can this set be split
        return 0
