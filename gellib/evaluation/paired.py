"""Paired tests and intervals on differences: sign-flip, Holm, Student's t."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

# Up to this many differences of any size, all 2^n signs are gone through.
_EXACT_MOST = 14
# Whole-number differences have an exact distribution that grows with their sum, not as 2^n.
_EXACT_RANGE = 50_000
_LARGEST_DENOMINATOR = 120


def sign_flip(differences: np.ndarray, *, draws: int = 9999, seed: int = 0) -> float:
    """Two-sided p-value that paired differences are symmetric about zero.

    If neither side is better, each difference could as well have had the other sign. The p-value
    is the share of all ways to set the signs whose sum is as far from zero as the one seen: exact
    where differences are few or multiples of a common fraction (as right and wrong predictions),
    from `draws` seeded random ways else. For correct predictions (0 or 1) of two runs on the same
    images it is the exact McNemar test.
    """
    d = np.abs(np.asarray(differences, dtype=float))
    seen = abs(float(np.sum(differences)))
    d = d[d > 1e-12]
    if not len(d):
        return 1.0
    close = seen - 1e-9 * max(1.0, d.sum())
    whole = _whole_numbers(d)
    if whole is not None:
        return _exact_whole(whole, close * whole.sum() / d.sum())
    if len(d) <= _EXACT_MOST:
        every = 1 - 2 * ((np.arange(2 ** len(d))[:, None] >> np.arange(len(d))) & 1)
        return float((np.abs(every @ d) >= close).mean())
    rng = np.random.default_rng(seed)
    extreme, done = 0, 0
    while done < draws:
        n = min(1000, draws - done)
        signs = rng.integers(0, 2, size=(n, len(d)), dtype=np.int8) * 2.0 - 1.0
        extreme += int((np.abs(signs @ d) >= close).sum())
        done += n
    return (1 + extreme) / (1 + draws)


def _whole_numbers(d: np.ndarray) -> np.ndarray | None:
    """Write differences as multiples of a common fraction, if they are."""
    for k in range(1, _LARGEST_DENOMINATOR + 1):
        whole = np.round(d * k).astype(int)
        if whole.min() > 0 and np.abs(d * k - whole).max() < 1e-6:
            whole //= np.gcd.reduce(whole)
            return whole if whole.sum() <= _EXACT_RANGE else None
    return None


def _exact_whole(d: np.ndarray, seen: float) -> float:
    total = int(d.sum())
    # Chance of each sum of the differences that keep their sign.
    chance = np.zeros(total + 1)
    chance[0] = 1.0
    reach = 0
    for step in d:
        chance[step : reach + step + 1] += chance[: reach + 1].copy()
        chance[: reach + step + 1] *= 0.5
        reach += int(step)
    sums = np.abs(2 * np.arange(total + 1) - total)
    return float(min(1.0, chance[sums >= seen - 1e-6].sum()))


def group_sums(values: np.ndarray, groups: Sequence[object] | None) -> np.ndarray:
    """Sum over images of one group: near copies of an image are not independent evidence."""
    if groups is None:
        return np.asarray(values, dtype=float)
    _, number = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return np.bincount(number, weights=values)


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Student's interval of a mean; NaN for fewer than two values."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float("nan"), float("nan")
    half = stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * stats.sem(values)
    return float(values.mean() - half), float(values.mean() + half)


def t_test(values: np.ndarray) -> float:
    """Two-sided p-value of Student's test that a mean is zero; 1 for fewer than two values."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or np.abs(values).max() < 1e-12:
        return 1.0
    spread = values.std(ddof=1)
    if spread < 1e-12:
        return 0.0
    t = values.mean() / (spread / np.sqrt(len(values)))
    return float(2 * stats.t.sf(abs(t), len(values) - 1))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Adjust p-values for having asked several questions (Holm 1979)."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(adjusted, 1.0)
