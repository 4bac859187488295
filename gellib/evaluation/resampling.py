"""The methods behind the intervals: Wilson's score, Dirichlet draws, BCa bootstrap, DeLong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

LEVEL = 0.95
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
DRAWS = 2000
Z = float(ndtri(TAILS[1]))
_MOST_RESAMPLED = 200
_FAINT = 0.25
_VALUES_AT_ONCE = 1 << 22
_MOST_CELLS = 1_000_000

Interval = list[float]


def group_numbers(groups: Sequence[object] | None, n: int) -> np.ndarray:
    """Number the groups 0, 1, ...; an image without a name of a group is one by itself."""
    if groups is None:
        return np.arange(n)
    names = [("", i) if name in ("", None) else (str(name), 0) for i, name in enumerate(groups)]
    numbers: dict[tuple[str, int], int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=int)


def wilson(right: Any, n: Any) -> tuple[Any, Any]:
    """95 % interval of a share by Wilson's score (1927), which holds at 0 and at `n` of `n` too.

    Of numbers, or of arrays of them; `n` may be an effective, broken number.
    """
    share = np.asarray(right, dtype=float) / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    return (float(low), float(high)) if np.ndim(low) == 0 else (low, high)


def draw_tables(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw confusion matrices that could stand behind this one: (2, draws, C, C), row sums kept.

    The first are for lower bounds of scores, the second for upper ones. Each row is Dirichlet with
    a weak prior: of all rows together one right prediction and one wrong one, which for two classes
    is Jeffreys' in each. So a matrix without a mistake has an interval. The prior of what would
    draw a bound towards the middle has a quarter of that: with one mistake in 22, a true score of
    0.99 would else lie outside.
    """
    n = len(table)
    draws = int(np.clip(_MOST_CELLS // n**2, DRAWS // 5, DRAWS))
    prior = np.full((n, n), 1 / n / max(n - 1, 1))
    np.fill_diagonal(prior, 1 / n)
    right = np.eye(n, dtype=bool)
    faint = rng.gamma(np.broadcast_to(table + _FAINT * prior, (draws, n, n)))
    rest = rng.gamma(np.broadcast_to((1 - _FAINT) * prior, (draws, n, n)))
    shares = faint + np.stack([np.where(right, 0.0, rest), np.where(right, rest, 0.0)])
    return shares / shares.sum(axis=3, keepdims=True) * table.sum(axis=1)[:, None]


def interval_of_draws(given: float, drawn: np.ndarray) -> Interval | None:
    """Take the interval from draws for the lower and for the upper bound.

    `drawn` is (2, draws), NaN where a draw has no score, and `given` the score itself.
    None where no draw differs: such a score, like the precision where all images are of one class,
    says nothing about other images.
    """
    known = [row[np.isfinite(row)] for row in drawn]
    if not np.isfinite(given) or not all(len(row) for row in known):
        return None
    low, high = (float(np.quantile(row, tail)) for row, tail in zip(known, TAILS, strict=True))
    low, high = min(low, float(given)), max(high, float(given))
    return [low, high] if high - low > 1e-12 else None


def bca(
    score: Callable[[np.ndarray], np.ndarray], n_groups: int, rng: np.random.Generator
) -> Interval | None:
    """Interval by the BCa bootstrap (Efron 1987) over groups; of many, over blocks of them.

    Parameters
    ----------
    score
        From weights (B, n_groups), how often each group is in, to B scores; NaN where a resample
        has none, such as the ROC area without a positive image: these do not count.

    Returns
    -------
    Interval or None
        The percentile interval where all resamples lie on one side of the score, which leaves BCa
        undefined; None below two groups or if hardly a resample has a score.
    """
    if n_groups < 2:
        return None
    n_blocks = min(n_groups, _MOST_RESAMPLED)
    block = rng.permutation(np.arange(n_groups) % n_blocks)

    def scored(weights: np.ndarray) -> np.ndarray:
        at_once = max(1, _VALUES_AT_ONCE // n_groups)
        parts = (weights[i : i + at_once] for i in range(0, len(weights), at_once))
        return np.concatenate([score(part[:, block]) for part in parts])

    weights = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), size=DRAWS)
    drawn = scored(weights.astype(float))
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < DRAWS / 2:
        return None
    given = float(score(np.ones((1, n_groups)))[0])
    below = (drawn < given).mean() + (drawn == given).mean() / 2
    tails = np.array(TAILS)
    if 0 < below < 1:
        left_out = scored(1.0 - np.eye(n_blocks))
        away = np.nanmean(left_out) - left_out
        spread = np.nansum(away**2) ** 1.5
        acceleration = np.nansum(away**3) / (6 * spread) if spread > 0 else 0.0
        shift = ndtri(below)
        z = shift + ndtri(tails)
        tails = ndtr(shift + z / (1 - acceleration * z))
    low, high = np.quantile(drawn, tails)
    return [float(min(low, given)), float(max(high, given))]


def roc_auc_interval(
    truth: np.ndarray, p: np.ndarray, groups: np.ndarray, *, effect: float = 1.0
) -> Interval | None:
    """Interval of the ROC AUC, or of the mean over several classes.

    DeLong's variance (1988), summed over groups, on the logit scale. An area of 0 or 1 has no
    variance; there it is Newcombe's score method (2006) with the numbers of the smallest class.

    Parameters
    ----------
    truth, p
        (n, k): a column a curve, whether it is one and how probable. Columns of one kind alone
        do not count; None where that is all of them.
    groups
        (n,) numbers from 0.
    effect
        How many images count as one, where the areas are 0 or 1.
    """
    usable = truth.any(axis=0) & ~truth.all(axis=0)
    if not usable.any():
        return None
    truth, p = truth[:, usable], p[:, usable]
    from scipy.stats import rankdata

    n_pos = truth.sum(axis=0)
    n_neg = len(truth) - n_pos
    areas, influence = [], np.zeros(len(truth))
    for column, pos, neg in zip(range(len(n_pos)), n_pos, n_neg, strict=True):
        yes, value = truth[:, column], p[:, column]
        # Share of the other side below each image: its rank among all less that among its own.
        placed = rankdata(value)
        placed[yes] = (placed[yes] - rankdata(value[yes])) / neg
        placed[~yes] = 1 - (placed[~yes] - rankdata(value[~yes])) / pos
        areas.append(placed[yes].mean())
        influence += (placed - areas[-1]) / np.where(yes, pos, neg) / len(n_pos)
    area, n_groups = float(np.mean(areas)), int(groups.max()) + 1
    variance = (np.bincount(groups, influence) ** 2).sum() * n_groups / max(n_groups - 1, 1)
    if 0 < area < 1 and variance > 1e-12:
        quantile = Z if n_groups == len(groups) else float(stdtrit(n_groups - 1, TAILS[1]))
        half = quantile * np.sqrt(variance) / (area * (1 - area))
        return [float(1 / (1 + (1 / area - 1) * np.exp(sign * half))) for sign in (1, -1)]
    fewest = min(n_pos.min(), n_neg.min()) / effect
    return _newcombe(area, fewest, len(truth) / effect - fewest)


def _newcombe(area: float, n_pos: float, n_neg: float) -> Interval:
    from scipy.optimize import brentq

    each = max((n_pos + n_neg) / 2 - 1, 0)

    def beyond(x: float) -> float:
        spread = 1 + each * ((1 - x) / (2 - x) + x / (1 + x))
        return abs(area - x) - Z * np.sqrt(x * (1 - x) * spread / (n_pos * n_neg))

    tiny = 1e-9
    low = brentq(beyond, tiny, area - tiny) if area > 2 * tiny and beyond(tiny) > 0 else 0.0
    room = area < 1 - 2 * tiny and beyond(1 - tiny) > 0
    return [float(low), float(brentq(beyond, area + tiny, 1 - tiny) if room else 1.0)]
