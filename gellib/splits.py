"""Which images train, which validate and which test: random, stratified, whole groups only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from gellib.datasets import ImageSet

METHODS = ("stratified", "random")
# The generators are named, so that drawing another share for testing leaves them independent.
_TEST_STREAM, _VAL_STREAM = 1, 2


class SplitError(ValueError):
    """The images cannot be split as asked; the message says why and what to do."""


def split_imageset(
    imageset: ImageSet,
    *,
    method: str = "stratified",
    val_fraction: float = 0.2,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> ImageSet:
    """Give every image a part: `train`, `val` or `test`.

    Parts that the data set gives are kept. Where there is no test part, `test_fraction` of the
    images that are not for validation is drawn for it; where there is no validation part, then
    `val_fraction` of what is left for training. `stratified` draws that share of every class, at
    least one image; `random` draws from all images alike. Rows of one group stay together; images
    of a group that is already in a part join it. The draw depends on the seed, file names, labels
    and groups alone, not on the order of the rows.

    Raises
    ------
    SplitError
        When a class would be missing from a part, or a group would be torn.
    """
    if method not in METHODS:
        raise SplitError(f"split: got {method!r}. Expected one of {', '.join(METHODS)}.")
    for name, share in (("val_fraction", val_fraction), ("test_fraction", test_fraction)):
        if not 0 < share < 1:
            raise SplitError(f"{name}: got {share!r}. Expected a number between 0 and 1.")
    table = imageset.table.sort_values("file", kind="stable")
    parts = _with_their_group(table["split"].to_numpy(dtype=object, copy=True), table["group"])
    classes = _memberships(table["label"], len(imageset.classes))
    for part, share, stream in (
        ("test", test_fraction, _TEST_STREAM),
        ("val", val_fraction, _VAL_STREAM),
    ):
        if (parts == part).any():
            continue
        pool = np.flatnonzero(np.isin(parts, ("", "train")))
        members = classes[pool] if method == "stratified" else np.ones((len(pool), 1), int)
        groups = [table["group"].iloc[i] for i in pool]
        rng = np.random.default_rng([seed, stream])
        parts[pool[_draw(members, groups, share, rng)]] = part
    parts[parts == ""] = "train"
    _check(parts, classes, imageset.classes, method)
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


def _draw(
    members: np.ndarray, groups: Sequence[str], share: float, rng: np.random.Generator
) -> list[int]:
    """Draw rows for a part, whole groups at a time, until each class has its share.

    Units are taken in random order, the large ones first because they fit in only at the start;
    one is drawn when that brings the part closer to what it should hold, as a share of each class,
    lest a rare label be passed over for the sake of a common one on the same image.
    """
    units: dict[object, list[int]] = {}
    for row, group in enumerate(groups):
        units.setdefault(group or row, []).append(row)
    rows = list(units.values())
    order = [rows[i] for i in rng.permutation(len(rows))]
    order.sort(key=len, reverse=True)
    wanted = _targets(members.sum(axis=0), share)
    weight = 1 / np.maximum(wanted, 1)
    drawn: list[int] = []
    for unit in order:
        left = wanted - members[unit].sum(axis=0)
        if (weight * np.abs(left)).sum() < (weight * np.abs(wanted)).sum():
            wanted = left
            drawn += unit
    return drawn


def _targets(counts: np.ndarray, share: float) -> np.ndarray:
    """Share out the images over the classes by largest remainder, so that the total is right."""
    exact = counts * share
    targets = np.floor(exact).astype(int)
    missing = int(round(exact.sum())) - targets.sum()
    targets[np.argsort(targets - exact, kind="stable")[:missing]] += 1
    # One image each at least, and one left over, where a class has two.
    return np.clip(targets, np.minimum(counts, 1), np.maximum(counts - 1, 0))


def _check(parts: np.ndarray, members: np.ndarray, classes: tuple[str, ...], method: str) -> None:
    for part in ("train", "val", "test"):
        counts = members[parts == part].sum(axis=0)
        for name, count in zip(classes, counts[:-1], strict=True):
            if count:
                continue
            total = members[:, classes.index(name)].sum()
            advice = "Add images of it, or remove the class"
            if method == "random":
                advice += ", or use split: stratified, or another seed"
            raise SplitError(
                f"class {name!r} would have no images for {part} ({total} in all, "
                f"{int((parts == part).sum())} images of all classes there). Expected one or more "
                f"in each of train, val and test. {advice}."
            )
