"""Conformal limits: a value that a further image exceeds with a stated probability at most.

Each group has the same weight, however many images it has, and one more group is reckoned as the
most unusual of all (Lee, Barber, Willett 2023), so that the limit holds for an image of a new
group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_ROUNDING = 1e-9


def fewest_groups(rate: float) -> int:
    """Number of groups from which a limit can be set: 19 for a rate of 5 %."""
    return math.ceil((1 - rate) / rate - _ROUNDING)


def conformal_limit(
    values: np.ndarray, groups: Sequence[int] | np.ndarray, rate: float
) -> tuple[float, int]:
    """Find the value that an image of a new group exceeds with the probability `rate` at most.

    Parameters
    ----------
    values
        (n,) or (R, n) of R repeats, each from a model that has not seen the image's group; NaN
        where there is none. Repeats of an image share its weight.
    groups
        (n,) group numbers.
    rate
        The probability.

    Returns
    -------
    float, int
        The limit, infinite below `fewest_groups(rate)` groups; and the number of groups.
    """
    known = np.isfinite(values)
    kept = np.broadcast_to(groups, np.shape(values))[known]
    values = np.asarray(values, dtype=float)[known]
    names, place, sizes = np.unique(kept, return_inverse=True, return_counts=True)
    n = len(names)
    # The share `rate` of n + 1 groups may exceed the limit, and the further one is reckoned to.
    spare = rate * (n + 1) - 1
    if n == 0 or spare < -_ROUNDING:
        return math.inf, n
    order = np.argsort(-values, kind="stable")
    above = np.cumsum((1 / sizes)[place][order])
    exceeding = int(np.searchsorted(above, spare + _ROUNDING, side="right"))
    return float(values[order][min(exceeding, len(values) - 1)]), n
