"""Split images into train, val and test: random or stratified; groups stay together."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gellib.base.text import quote_some
from gellib.data import ImageSet
from gellib.data.drawing import assign_folds, draw_rows, group_rows

METHODS = ("stratified", "random", "mask", "kfold")
# Each purpose has a random stream of its own, so that the draws are independent.
_TEST_STREAM, _VAL_STREAM, _FOLD_STREAM = 1, 2, 3


class SplitError(ValueError):
    """The images cannot be split as requested; the message says why and what to do."""


def split_imageset(
    imageset: ImageSet,
    *,
    method: str = "stratified",
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
    folds: int = 5,
    fold: int = 0,
) -> ImageSet:
    """Assign every image to a split: `train`, `val` or `test`.

    Splits that the data set gives are kept. If it gives no test split, `test_fraction` of the
    images that are not in `val` is drawn; if it gives no validation split, `val_fraction` of the
    remaining training images is drawn. Images of one group stay together: if some are already in a
    split, the others join them. The result depends only on the seed, file names, labels and
    groups, not on the order of the rows.

    Parameters
    ----------
    imageset
        n images; splits in its column `split` are kept.
    method
        `stratified` draws the fraction of every class, at least one image. `random` draws the
        fraction of all images. `mask` is a Bernoulli split: it draws each image independently with
        the fraction as probability, so the share varies. `kfold` distributes the images of each
        class over `folds` folds; fold number `fold` is the test split (`test_fraction` is not
        used) and the validation split is drawn, stratified, from the others. With one seed, each
        image is in the test split of exactly one fold.
    val_fraction, test_fraction
        Shares of the images that are drawn, above 0 and below 1.
    seed
        Seed of the draw.
    folds
        Number of folds for `kfold`, 2 or more.
    fold
        Number of the fold that is tested, from 0.

    Raises
    ------
    SplitError
        If a parameter is out of its range; if a class would be missing from a split (with several
        labels per image: from training); if given splits separate a group; if `kfold` is used on a
        data set that gives a validation or test split.
    """
    if method not in METHODS:
        raise SplitError(f"split: got {method!r}. Expected one of {', '.join(METHODS)}.")
    for name, share in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 < share < 1:
            raise SplitError(f"{name}: got {share!r}. Expected a number between 0 and 1.")
    if method == "kfold" and not 0 <= fold < folds >= 2:
        raise SplitError(
            f"fold: got {fold} of {folds} folds. Expected two folds or more, counted from 0."
        )
    table = imageset.table.sort_values("file", kind="stable")
    splits = join_groups(table["split"].to_numpy(dtype=object, copy=True), table["group"])
    classes = class_members(table["label"], len(imageset.classes))
    if method == "kfold":
        splits = _kfold(splits, classes, table["group"], folds, fold, seed, imageset.root)
    for name, share, stream in (
        ("test", test_fraction, _TEST_STREAM),
        ("val", val_fraction, _VAL_STREAM),
    ):
        if (splits == name).any():
            continue
        pool = np.flatnonzero(np.isin(splits, ("", "train")))
        units = group_rows(table["group"].to_numpy()[pool])
        rng = np.random.default_rng([seed, stream, fold] if method == "kfold" else [seed, stream])
        if method == "mask":
            chosen = rng.random(len(units)) < share
            drawn = [row for unit, own in zip(units, chosen, strict=True) if own for row in unit]
        else:
            members = np.ones((len(pool), 1), int) if method == "random" else classes[pool]
            drawn = draw_rows(members, units, share, rng)
        splits[pool[drawn]] = name
    splits[splits == ""] = "train"
    check_classes(splits, classes, imageset, table["group"].to_numpy(), method)
    split = pd.Series(splits, index=table.index, dtype=object)
    return replace(imageset, table=imageset.table.assign(split=split))


def class_members(labels: pd.Series, n_classes: int) -> np.ndarray:
    """Count classes per image, (n, classes + 1); the last column is for images without any."""
    members = np.zeros((len(labels), n_classes + 1), int)
    for row, label in enumerate(labels):
        own = label if isinstance(label, tuple) else (label,)
        members[row, list(own) or [n_classes]] = 1
    return members


def join_groups(splits: np.ndarray, groups: pd.Series) -> np.ndarray:
    """Assign images of a group that is in a split already to that split."""
    given: dict[str, set[str]] = {}
    for split, group in zip(splits, groups, strict=True):
        if group and split:
            given.setdefault(group, set()).add(split)
    separated = sorted(group for group, where in given.items() if len(where) > 1)
    if separated:
        raise SplitError(
            f"groups are separated by the given split: {separated[0]!r} is in "
            f"{' and '.join(sorted(given[separated[0]]))} ({len(separated)} such groups). Expected "
            "each group in one split. Correct the split or group column."
        )
    for i, group in enumerate(groups):
        if group in given and not splits[i]:
            splits[i] = next(iter(given[group]))
    return splits


def _kfold(
    splits: np.ndarray,
    members: np.ndarray,
    groups: pd.Series,
    folds: int,
    fold: int,
    seed: int,
    root: Path,
) -> np.ndarray:
    given = sorted(set(splits) & {"val", "test"})
    if given:
        raise SplitError(
            f"split: got 'kfold', but {root} gives a split {' and '.join(given)}. Expected "
            "images without given splits, since every fold is tested once. Name the folder of the "
            "training images as dataset_dir, or use split: stratified."
        )
    rng = np.random.default_rng([seed, _FOLD_STREAM])
    units = group_rows(list(groups))
    result = splits.copy()
    result[assign_folds(members, units, folds, rng) == fold] = "test"
    return result


def check_classes(
    splits: np.ndarray,
    members: np.ndarray,
    imageset: ImageSet,
    groups: np.ndarray,
    method: str = "stratified",
    *,
    parts: tuple[str, ...] = ("train", "val", "test"),
) -> None:
    """Check that no class is missing from a part; with several labels per image, warn.

    Parameters
    ----------
    splits
        (n,) the part of each image.
    members
        (n, classes + 1), as from `class_members`.
    imageset, groups
        The images, and the group of each.
    method
        How the parts were drawn.
    parts
        Their names; the first is trained on.

    Raises
    ------
    SplitError
        Naming the class that a part lacks.
    """
    classes = imageset.classes
    *others, last = parts
    for split in parts:
        counts = members[splits == split].sum(axis=0)
        absent = [name for name, n in zip(classes, counts[:-1], strict=True) if not n]
        if not imageset.task.exclusive and absent and split != parts[0] and (splits == split).any():
            # Rare labels occur with others: no draw of whole images gives each label its share.
            warnings.warn(
                f"{split} has no image of {quote_some(absent)}: its scores say nothing about them",
                stacklevel=3,
            )
            continue
        for name in absent:
            own = members[:, classes.index(name)] > 0
            of_groups = f" of {len(set(groups[own]))} groups" if (groups[own] != "").all() else ""
            advice = "Add images of it, or remove the class"
            if method in ("random", "mask"):
                advice += ", or use split: stratified, or another seed"
            elif method == "kfold":
                advice += ", or use fewer folds"
            raise SplitError(
                f"class {name!r} would have no images for {split} ({own.sum()}{of_groups} in all, "
                f"{int((splits == split).sum())} images of all classes there). Expected one or "
                f"more in each of {', '.join(others)} and {last}. {advice}."
            )
