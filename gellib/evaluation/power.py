"""How many test images, or seeds, would be needed to see a difference."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

# The customary wish: a true difference is to be found four times of five, at 5 %.
_POWER, _ALPHA = 0.8, 0.05
# A difference that nobody would call small: five percentage points.
DIFFERENCE = 0.05


def images_needed(variance: float, difference: float = DIFFERENCE, *, questions: int = 1) -> int:
    """Test images for a paired test to find a difference with 80 % chance at 5 %.

    Parameters
    ----------
    variance
        Variance of the difference per image; the difference sought itself sets the least it can
        be, so images on which two models have never disagreed so far promise nothing.
    difference
        The difference sought, 0..1.
    questions
        How many comparisons are made together: each is then tested at 5 % of its share.
    """
    variance = max(variance, difference * (1 - difference))
    z = stats.norm.ppf(1 - _ALPHA / questions / 2) + stats.norm.ppf(_POWER)
    return math.ceil(z**2 * variance / difference**2)


def seeds_needed(deviation: float, difference: float = DIFFERENCE, *, questions: int = 1) -> int:
    """Seeds for Student's paired test to find a difference with 80 % chance at 5 %.

    `deviation` is the standard deviation of the paired difference from seed to seed; `questions`
    as for `images_needed`.
    """
    alpha = _ALPHA / questions
    if deviation < 1e-12:
        return 3
    for n in range(3, 1000):
        shift = difference * math.sqrt(n) / deviation
        reject = stats.t.ppf(1 - alpha / 2, n - 1)
        if stats.nct.sf(reject, n - 1, shift) >= _POWER:
            return n
    z = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(_POWER)
    return math.ceil((z * deviation / difference) ** 2)


def variance_of_mean(sums: np.ndarray, n: float) -> float:
    """Variance of a mean over `n` images whose groups have these sums."""
    sums = np.asarray(sums, dtype=float)
    groups = len(sums)
    if groups < 2:
        return float("nan")
    return float(groups / (groups - 1) * ((sums - sums.mean()) ** 2).sum() / n**2)
