"""Duplicates in a run: kept on one side of the split, counted, and warned of where torn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from gellib.data import ImageSet
from gellib.data.duplicates import (
    Duplicates,
    count_moved,
    find_duplicates,
    group_images,
    torn_pairs,
)
from gellib.data.images import ImageLimits
from gellib.data.splits import SplitError

# Fewer images take seconds, and a bar would be all that is left of them in the notebook.
_BAR_FROM = 500


@dataclass(frozen=True)
class DuplicatesFound:
    """What a run says of its duplicates.

    `images` are in one of `groups`; of them `moved` would lie apart from most of their group, had
    the split not kept groups whole; `torn` pairs lie in two parts that the data set gives.
    `given` says that the data set itself puts each group of them into one of its own, such as the
    slices of one person; `problem` why no split could keep groups whole, if so.
    """

    exact: int = 0
    near: int = 0
    groups: int = 0
    images: int = 0
    moved: int = 0
    torn: tuple[tuple[str, str, float], ...] = ()
    given: bool = False
    problem: str = ""
    checked: bool = False

    def sentence(self) -> str:
        """Say how many there are and what was done; empty if there are none."""
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
            f"moved {self.moved} image{'' if self.moved == 1 else 's'}."
        )

    def warning(self) -> str:
        """Say which given parts share a picture, or that groups are torn; empty if neither is."""
        words = []
        if self.problem:
            words.append(
                f"{self.images} images are duplicates of each other, in {self.groups} groups, and "
                f"no split can keep them together: {self.problem} They are split one by one, so "
                "the test is in part a test of memory. gellib check shows them."
            )
        if self.torn:
            a, b, distance = self.torn[0]
            one = len(self.torn) == 1
            words.append(
                f"{len(self.torn)} {'pair' if one else 'pairs'} of duplicates "
                f"{'lies' if one else 'lie'} in two given parts of the data set, such as {a} and "
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
            "moved": self.moved,
            "given": self.given,
            "problem": self.problem,
            "torn": [list(pair) for pair in self.torn],
        }


def split_with_duplicates(
    images: ImageSet,
    split: Callable[[ImageSet], ImageSet],
    *,
    cache_dir: Path,
    limits: ImageLimits,
) -> tuple[ImageSet, DuplicatesFound]:
    """Split a set so that duplicates stay together, and say what that changed."""
    progress = None
    if len(images) >= _BAR_FROM:

        def progress(items, total):
            return tqdm(items, total=total, desc="duplicates", leave=False)

    found = find_duplicates(images, cache_dir=cache_dir, limits=limits, progress=progress)
    torn = torn_pairs(images, found)
    kept = Duplicates(
        tuple(pair for pair in found.exact if (*pair, 0.0) not in torn),
        tuple(pair for pair in found.near if pair not in torn),
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
        moved=_moved(images, split, kept) if groups and not problem else 0,
        problem=problem,
        torn=tuple(torn),
        given=_given(images, groups),
        checked=True,
    )


def _given(images: ImageSet, groups: list[list[str]]) -> bool:
    own = dict(zip(images.table["file"], images.table["group"], strict=True))
    names = [{own[file] for file in files} for files in groups]
    return all(len(name) == 1 and name != {""} for name in names)


def _moved(images: ImageSet, split: Callable[[ImageSet], ImageSet], found: Duplicates) -> int:
    try:
        return count_moved(split(images), found)
    except SplitError:  # only with its duplicates together can this set be split
        return 0
