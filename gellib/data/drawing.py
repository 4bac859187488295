"""Draw whole groups of images for a split, so that each class has its share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def group_rows(groups: Iterable[str]) -> list[list[int]]:
    """Return rows that must stay together: those of one group; a row without a group is alone."""
    units: dict[object, list[int]] = {}
    for row, group in enumerate(groups):
        units.setdefault(group or row, []).append(row)
    return list(units.values())


def draw_rows(
    members: np.ndarray, units: Sequence[list[int]], share: float, rng: np.random.Generator
) -> list[int]:
    """Draw rows for a split, whole groups at a time, until each class has its share.

    Groups of several rows come first, large ones before small ones, because they fit in only at
    the start. The split gets no more than its share of these groups, or it would hold all
    duplicates and training none. Single rows, in random order, then fill it up. A unit is drawn if
    that brings the split closer to its target, relative to each class, so that a common label does
    not displace a rare one on the same image.

    Parameters
    ----------
    members
        (rows, classes): 1 if the row has the class, else 0.
    units
        Rows that stay together, as `group_rows` returns them.
    share
        Share of each class to draw, 0 to 1.
    rng
        Random generator of this draw.
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
        # Half a group more or less is random, so that no group is certain to be drawn.
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
    return drawn + _for_missing_classes(members, order, drawn, wanted)


def assign_folds(
    members: np.ndarray, units: Sequence[list[int]], folds: int, rng: np.random.Generator
) -> np.ndarray:
    """Distribute whole groups over folds, so that each fold has an equal share of each class.

    Parameters
    ----------
    members
        (rows, classes): 1 if the row has the class, else 0.
    units
        Rows that stay together, as `group_rows` returns them.
    folds
        Number of folds.
    rng
        Random generator of this draw.

    Returns
    -------
    np.ndarray
        (rows,) number of the fold, from 0.
    """
    order = [units[i] for i in rng.permutation(len(units))]
    order.sort(key=len, reverse=True)
    # A unit goes to the fold where it brings class counts and size closest to an equal share.
    sizes = np.column_stack([members, np.ones(len(members), int)])
    equal = sizes.sum(axis=0) / folds
    weight = 1 / np.maximum(equal, 1) ** 2
    held = np.zeros((folds, sizes.shape[1]))
    numbers = np.empty(len(members), int)
    for unit in order:
        own = sizes[unit].sum(axis=0)
        cost = (weight * own * (2 * (held - equal) + own)).sum(axis=1)
        best = np.flatnonzero(np.isclose(cost, cost.min(), rtol=0, atol=1e-12))
        place = int(rng.choice(best))
        held[place] += own
        numbers[unit] = place
    return numbers


def _for_missing_classes(
    members: np.ndarray, order: Sequence[list[int]], drawn: list[int], wanted: np.ndarray
) -> list[int]:
    """Draw the smallest group of each class that has no image drawn yet.

    At least one group of the class is left for the other splits.
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
    """Distribute the images over the classes by largest remainder, so that the total is right."""
    exact = counts * share
    targets = np.floor(exact).astype(int)
    missing = int(round(exact.sum())) - targets.sum()
    targets[np.argsort(targets - exact, kind="stable")[:missing]] += 1
    # At least one image of each class, and one left for the other splits if a class has two.
    return np.clip(targets, np.minimum(counts, 1), np.maximum(counts - 1, 0))
