"""Folds of a repeated, stratified cross-validation in which groups stay together: `draw_folds`."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gellib.data.drawing import assign_folds, draw_rows, group_rows
from gellib.data.imageset import CV, EXTRA, ImageSet
from gellib.data.splits import SplitError, check_classes, class_members, join_groups

_FOLD_STREAM, _VALIDATION_STREAM = 4, 5
_NO_PART, _ALWAYS_TRAINED = -1, -2
# Other draws that are tried where a class would be held out as a whole.
_DRAWS = 20


@dataclass(frozen=True)
class Folds:
    """Which fold holds each image out, in each repeat.

    Attributes
    ----------
    numbers
        (R, N) number of the fold, from 0, in the order of the images; -1: the image takes no part;
        -2: it is trained on in every fold, and never held out.
    count
        Number of folds.
    groups
        Number of units that stay whole: groups, and images without one.
    note
        Why there are fewer folds than were asked for; empty if there are not.
    """

    numbers: np.ndarray
    count: int
    groups: int
    note: str = ""

    @property
    def repeats(self) -> int:
        """How often the folds are drawn."""
        return len(self.numbers)

    @property
    def rows(self) -> np.ndarray:
        """Rows of the images that take part."""
        return np.flatnonzero(self.numbers[0] >= 0)

    def held_out(self, repeat: int, fold: int) -> np.ndarray:
        """Return the rows of the images of a fold."""
        return np.flatnonzero(self.numbers[repeat] == fold)

    def training(self, repeat: int, fold: int) -> np.ndarray:
        """Return the rows of the images of all other folds."""
        own = self.numbers[repeat]
        return np.flatnonzero((own != _NO_PART) & (own != fold))

    def with_extra(self, count: int) -> Folds:
        """Return the folds with so many further images behind, which each fold is trained on."""
        more = np.full((self.repeats, count), _ALWAYS_TRAINED)
        return replace(self, numbers=np.hstack([self.numbers, more]))


def merge_validation(imageset: ImageSet) -> ImageSet:
    """Make training images of given validation images: a cross-validation has no use for these."""
    split = imageset.table["split"].replace("val", "train")
    return replace(imageset, table=imageset.table.assign(split=split))


def pool_images(imageset: ImageSet) -> ImageSet:
    """Assign every image to `test`, where the data set gives that, or to `cv`.

    Images of one group stay together: if some are in the test split, the others join them.

    Raises
    ------
    SplitError
        If the given test split separates a group, or lacks a class.
    """
    table = merge_validation(imageset).table
    splits = join_groups(table["split"].to_numpy(dtype=object, copy=True), table["group"])
    splits[splits != "test"] = CV
    if (splits == "test").any():
        members = class_members(table["label"], len(imageset.classes))
        check_classes(splits, members, imageset, table["group"].to_numpy(), parts=(CV, "test"))
    return replace(imageset, table=table.assign(split=splits))


def draw_folds(imageset: ImageSet, *, folds: int, repeats: int, seed: int) -> Folds:
    """Draw folds over the images of the split `cv`, stratified by class, groups whole.

    They depend on the seed, file names, labels and groups alone: all configurations of a sweep have
    the same. A class with fewer groups than folds reduces the folds, so that each fold can hold one
    of it out; where images have several labels, rare labels do not.

    Parameters
    ----------
    imageset
        The images, as from `pool_images`.
    folds
        How many are wanted, 2 or more.
    repeats
        How often they are drawn.
    seed
        Seed of the run.

    Raises
    ------
    SplitError
        If a class has less than two images, or all its images are in one group.
    """
    table = imageset.table.sort_values("file", kind="stable")
    place = np.flatnonzero((table["split"] == CV).to_numpy())
    rows = table.index.to_numpy()[place]
    members = class_members(table["label"], len(imageset.classes))[place]
    units = group_rows(table["group"].to_numpy()[place])
    count, note = _count(imageset, members, units, folds)
    numbers = np.full((repeats, len(table)), _NO_PART)
    for repeat in range(repeats):
        for draw in range(_DRAWS):
            rng = np.random.default_rng([seed, _FOLD_STREAM, repeat, draw])
            dealt = assign_folds(members, units, count, rng)
            if not imageset.task.exclusive or _each_class_trains(dealt, members, count):
                break
        else:
            raise SplitError(
                f"folds: no draw of {count} folds leaves images of every class for training, "
                "because large groups hold most of a class. Expected several groups of each "
                "class. Add images, or set cv_folds to less."
            )
        numbers[repeat, rows] = dealt
    return Folds(numbers, count, len(units), note)


def draw_validation(
    imageset: ImageSet, rows: np.ndarray, share: float, *, seed: int, repeat: int, fold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a fold's own validation images from its training images; groups stay whole.

    Images of the split `extra` are not drawn.

    Parameters
    ----------
    imageset
        All images.
    rows
        Rows of the training images.
    share
        Share of them to draw.
    seed, repeat, fold
        The draw depends on these, file names, labels and groups.

    Returns
    -------
    tuple
        Rows of the images that are left to train on, and of those to validate on, both sorted.
    """
    is_extra = (imageset.table["split"] == EXTRA).to_numpy()[rows]
    extra, rows = rows[is_extra], rows[~is_extra]
    rows = rows[np.argsort(imageset.table["file"].to_numpy(dtype=str)[rows], kind="stable")]
    own = imageset.table.iloc[rows]
    members = class_members(own["label"], len(imageset.classes))
    units = group_rows(own["group"])
    rng = np.random.default_rng([seed, _VALIDATION_STREAM, repeat, fold])
    chosen = np.zeros(len(rows), bool)
    chosen[draw_rows(members, units, share, rng)] = True
    for unit in units:  # no class may be left without training images
        gone = members[unit].any(axis=0) & ~members[~chosen].any(axis=0)
        if chosen[unit].all() and gone.any():
            chosen[unit] = False
    return np.sort(np.append(rows[~chosen], extra)), np.sort(rows[chosen])


def _count(
    imageset: ImageSet, members: np.ndarray, units: list[list[int]], folds: int
) -> tuple[int, str]:
    """Return how many folds there can be, and why they are fewer than wanted."""
    if len(units) < 2:
        raise SplitError(
            f"folds: got {len(members)} images in {len(units)} groups. Expected two groups or "
            "more. Add images."
        )
    if not imageset.task.exclusive:
        if len(units) >= folds:
            return folds, ""
        return len(units), f"There are {len(units)} groups, so {len(units)} folds are drawn."
    of_class = np.array([members[unit].any(axis=0) for unit in units]).sum(axis=0)[:-1]
    fewest = int(of_class.argmin())
    name, n = imageset.classes[fewest], int(of_class[fewest])
    images = int(members[:, fewest].sum())
    what = f"{n} image{'s' * (n != 1)}"
    if images != n:
        what = f"{images} images in {n} group{'s' * (n != 1)}"
    if n < 2:
        raise SplitError(
            f"class {name!r} has {what} to draw folds from. Expected two or more that are not in "
            "one group, so that one is predicted by heads that were trained on another. Add "
            "images of it, or remove the class."
        )
    if n >= folds:
        return folds, ""
    return n, f"Class {name!r} has {what}, so {n} folds are drawn instead of {folds}."


def _each_class_trains(dealt: np.ndarray, members: np.ndarray, count: int) -> bool:
    there = members.any(axis=0)
    return all((members[dealt != fold].any(axis=0) == there).all() for fold in range(count))


def find_refusals(images: ImageSet) -> list[str]:
    """Say why a run with the parameters' defaults would not split a set, if it would not."""
    try:
        draw_folds(pool_images(images), folds=5, repeats=1, seed=0)
    except SplitError as err:
        return [f"A run would refuse these images: {err}"]
    return []
