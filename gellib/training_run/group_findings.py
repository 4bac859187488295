"""What a run reports about duplicates and families: sentences, warnings, and plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gellib.data.duplicates import Families


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


@dataclass(frozen=True)
class FamiliesFound:
    """What a run reports about families: near-duplicate clusters, such as slices of one subject.

    `cross_split` counts the test images whose family has images that are trained on, because the
    data set gives its test part; `tested` counts all test images. `problem` is why no split could
    keep families whole.
    """

    families: Families = Families()
    cross_split: int = 0
    tested: int = 0
    problem: str = ""
    checked: bool = False

    def sentence(self) -> str:
        """Return what was grouped, and why; empty if nothing was."""
        if not self.families.groups or self.problem:
            return ""
        return (
            f"{self.families.images} images form {len(self.families.groups)} near-duplicate "
            "clusters, such as slices of one subject; each is kept whole in one fold or split. "
            f"{self._evidence()} Set group_families to False if they are independent."
        )

    def warning(self) -> str:
        """Say that a test part shares families with training; empty if none does."""
        if self.problem:
            return (
                f"{self.families.images} images form {len(self.families.groups)} near-duplicate "
                f"clusters, and no split can keep them whole: {self.problem} {self._evidence()} "
                "The scores are in part a test of memory. gellib check shows the clusters."
            )
        if not self.cross_split:
            return ""
        return (
            f"{self.cross_split} of {self.tested} test images are near-duplicates of training "
            "images, such as other slices of the same subject, because the data set gives its test "
            f"part. {self._evidence()} The test scores are in part a test of memory: give each "
            "subject to one part."
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the record."""
        return {
            "checked": self.checked,
            "groups": len(self.families.groups),
            "images": self.families.images,
            "nn_random": self.families.nn_random,
            "nn_grouped": self.families.nn_grouped,
            "torn": self.cross_split,
            "tested": self.tested,
            "problem": self.problem,
            "sentence": self.sentence(),
            "warning": self.warning(),
        }

    def _evidence(self) -> str:
        return (
            f"The nearest neighbour on small raw pixels is right on {self.families.nn_random:.0%} "
            f"in a random split and on {self.families.nn_grouped:.0%} if each cluster stays in "
            "one split."
        )
