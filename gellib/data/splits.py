"""Which images train, which validate and which test: random, stratified, whole groups only."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gellib.base.text import quote_some
from gellib.data import ImageSet

METHODS = ("stratified", "random", "mask", "kfold")
# The generators are named, so that drawing another share for testing leaves them independent.
_TEST_STREAM, _VAL_STREAM, _FOLD_STREAM = 1, 2, 3


class SplitError(ValueError):
    """The images cannot be split as asked; the message says why and what to do."""


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
    """Give every image a part: `train`, `val` or `test`.

    Parts that the data set gives are kept. Where there is no test part, `test_fraction` of the
    images that are not for validation is drawn for it; where there is no validation part, then
    `val_fraction` of what is left for training. Rows of one group stay together; images of a group
    that is already in a part join it. The draw depends on the seed, file names, labels and groups
    alone, not on the order of the rows. Methods:

    - `stratified` draws that share of every class, at least one image;
    - `random` draws that share from all images alike;
    - `mask` draws for each image by itself, with that probability, so the share varies too;
    - `kfold` deals the images of each class out into `folds` folds. The one of number `fold`, from
      0, is the test part (`test_fraction` is not used); the validation part is drawn, stratified,
      from the others. With one seed, each image is in the test part of exactly one fold.

    Raises
    ------
    SplitError
        When a class would be missing from a part (of several labels an image: from training), a
        group would be torn, or `kfold` is asked of a data set that gives parts for validation or
        testing.
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
    parts = _with_their_group(table["split"].to_numpy(dtype=object, copy=True), table["group"])
    classes = _memberships(table["label"], len(imageset.classes))
    if method == "kfold":
        parts = _kfold(parts, classes, table["group"], folds, fold, seed, imageset.root)
    for part, share, stream in (
        ("test", test_fraction, _TEST_STREAM),
        ("val", val_fraction, _VAL_STREAM),
    ):
        if (parts == part).any():
            continue
        pool = np.flatnonzero(np.isin(parts, ("", "train")))
        units = _units(table["group"].to_numpy()[pool])
        rng = np.random.default_rng([seed, stream, fold] if method == "kfold" else [seed, stream])
        if method == "mask":
            heads = rng.random(len(units)) < share
            drawn = [row for unit, head in zip(units, heads, strict=True) if head for row in unit]
        else:
            members = np.ones((len(pool), 1), int) if method == "random" else classes[pool]
            drawn = _draw(members, units, share, rng)
        parts[pool[drawn]] = part
    parts[parts == ""] = "train"
    _check(parts, classes, imageset, table["group"].to_numpy(), method)
    split = pd.Series(parts, index=table.index, dtype=object)
    return replace(imageset, table=imageset.table.assign(split=split))


def _memberships(labels: pd.Series, n_classes: int) -> np.ndarray:
    """Count classes per image, (n, classes + 1); the last column is for images without any."""
    members = np.zeros((len(labels), n_classes + 1), int)
    for row, label in enumerate(labels):
        own = label if isinstance(label, tuple) else (label,)
        members[row, list(own) or [n_classes]] = 1
    return members


def _with_their_group(parts: np.ndarray, groups: pd.Series) -> np.ndarray:
    given: dict[str, set[str]] = {}
    for part, group in zip(parts, groups, strict=True):
        if group and part:
            given.setdefault(group, set()).add(part)
    torn = sorted(group for group, where in given.items() if len(where) > 1)
    if torn:
        raise SplitError(
            f"groups are torn by the given split: {torn[0]!r} is in "
            f"{' and '.join(sorted(given[torn[0]]))} ({len(torn)} such groups). Expected each "
            "group in one part. Correct the split or group column."
        )
    for i, group in enumerate(groups):
        if group in given and not parts[i]:
            parts[i] = next(iter(given[group]))
    return parts


def _kfold(
    parts: np.ndarray,
    members: np.ndarray,
    groups: pd.Series,
    folds: int,
    fold: int,
    seed: int,
    root: Path,
) -> np.ndarray:
    given = sorted(set(parts) & {"val", "test"})
    if given:
        raise SplitError(
            f"split: got 'kfold', but {root} gives a part for {' and '.join(given)}. Expected "
            "images without parts, since every fold is to be tested once. Name the folder of the "
            "training images as dataset_dir, or use split: stratified."
        )
    rng = np.random.default_rng([seed, _FOLD_STREAM])
    units = _units(list(groups))
    order = [units[i] for i in rng.permutation(len(units))]
    order.sort(key=len, reverse=True)
    # A unit goes where it brings the counts of its classes, and the size, nearest to a fair share.
    sizes = np.column_stack([members, np.ones(len(members), int)])
    fair = sizes.sum(axis=0) / folds
    weight = 1 / np.maximum(fair, 1) ** 2
    held = np.zeros((folds, sizes.shape[1]))
    result = parts.copy()
    for unit in order:
        own = sizes[unit].sum(axis=0)
        cost = (weight * own * (2 * (held - fair) + own)).sum(axis=1)
        best = np.flatnonzero(np.isclose(cost, cost.min(), rtol=0, atol=1e-12))
        place = int(rng.choice(best))
        held[place] += own
        if place == fold:
            result[unit] = "test"
    return result


def _units(groups: Iterable[str]) -> list[list[int]]:
    """Rows that must stay together: those of a group; a row without one is by itself."""
    units: dict[object, list[int]] = {}
    for row, group in enumerate(groups):
        units.setdefault(group or row, []).append(row)
    return list(units.values())


def _draw(
    members: np.ndarray, units: Sequence[list[int]], share: float, rng: np.random.Generator
) -> list[int]:
    """Draw rows for a part, whole groups at a time, until each class has its share.

    Groups of several rows come first, the large ones before the small, because they fit in only at
    the start. Of them too the part gets no more than its share, or it would hold all duplicates
    and training none; single rows, in random order, then fill it up. A unit is drawn when that
    brings the part closer to what it should hold, as a share of each class, so that no rare label
    is passed over for the sake of a common one on the same image.
    """
    order = [units[i] for i in rng.permutation(len(units))]
    wanted = _targets(members.sum(axis=0), share)
    weight = 1 / np.maximum(wanted, 1)
    drawn: list[int] = []

    def distance(held: np.ndarray, target: np.ndarray) -> float:
        return float((weight * np.abs(target - held)).sum())

    held, seen = np.zeros_like(wanted), np.zeros_like(wanted)
    groups = sorted((unit for unit in order if len(unit) > 1), key=len, reverse=True)
    rest = []
    for unit in groups:
        own = members[unit].sum(axis=0)
        seen += own
        # Chance decides about half a group more or less, so that none is sure of its place.
        due = share * seen + (rng.random() - 0.5) * own
        taken = held + own
        if distance(taken, due) < distance(held, due) and (
            distance(taken, wanted) < distance(held, wanted)
        ):
            held = taken
            drawn += unit
        else:
            rest.append(unit)
    for unit in (*(unit for unit in order if len(unit) == 1), *rest):
        taken = held + members[unit].sum(axis=0)
        if distance(taken, wanted) < distance(held, wanted):
            held = taken
            drawn += unit
    return drawn + _for_absent(members, order, drawn, wanted)


def _for_absent(
    members: np.ndarray, order: Sequence[list[int]], drawn: list[int], wanted: np.ndarray
) -> list[int]:
    """Draw the smallest group of each class that has none yet, for want of one that is not large.

    A group is left for the rest of the images.
    """
    more: list[int] = []
    for c in np.flatnonzero(wanted):
        if members[drawn + more, c].any():
            continue
        taken = {*drawn, *more}
        left = [unit for unit in order if unit[0] not in taken and members[unit, c].any()]
        if len(left) > 1:
            more += sorted(left, key=len)[0]
    return more


def _targets(counts: np.ndarray, share: float) -> np.ndarray:
    """Share out the images over the classes by largest remainder, so that the total is right."""
    exact = counts * share
    targets = np.floor(exact).astype(int)
    missing = int(round(exact.sum())) - targets.sum()
    targets[np.argsort(targets - exact, kind="stable")[:missing]] += 1
    # One image each at least, and one left over, where a class has two.
    return np.clip(targets, np.minimum(counts, 1), np.maximum(counts - 1, 0))


def _check(
    parts: np.ndarray,
    members: np.ndarray,
    imageset: ImageSet,
    groups: np.ndarray,
    method: str,
) -> None:
    classes = imageset.classes
    for part in ("train", "val", "test"):
        counts = members[parts == part].sum(axis=0)
        absent = [name for name, n in zip(classes, counts[:-1], strict=True) if not n]
        if not imageset.task.exclusive and absent and part != "train" and (parts == part).any():
            # Rare labels come with others: no draw of whole images gives each its share.
            warnings.warn(
                f"{part} has no image of {quote_some(absent)}: it says nothing about them",
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
                f"class {name!r} would have no images for {part} ({own.sum()}{of_groups} in all, "
                f"{int((parts == part).sum())} images of all classes there). Expected one or more "
                f"in each of train, val and test. {advice}."
            )
