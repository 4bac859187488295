"""The largest of many standardised differences, by random signs on groups, and what follows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gellib.evaluation.crossval.folded import FoldedScores

_DRAWS = 2000


def draw_signs(folded: FoldedScores, contrasts: np.ndarray, seed: int) -> np.ndarray:
    """Draw (draws, C): each contrast in standard errors if the signs on each group were random.

    All contrasts on a group change sign together, which keeps how alike configurations are.
    """
    parts = folded.sums @ contrasts.T
    spread = np.sqrt((parts**2).sum(axis=0))
    spread = np.where(spread < 1e-9, np.inf, spread)
    return (_signs(folded.groups, seed) @ folded.sums) @ (contrasts.T / spread)


@lru_cache(maxsize=2)  # the same for every family of a sweep
def _signs(groups: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, 17])
    return rng.integers(0, 2, size=(_DRAWS, groups), dtype=np.int8) * np.float32(2) - 1


def student_to_sum(t: np.ndarray, groups: int) -> np.ndarray:
    """Student's t to the sum over the root of the sum of squares, which signs leave as it is."""
    return np.asarray(t * np.sqrt(groups / (max(groups - 1, 1) + t**2)) * (np.abs(t) < np.inf))


def sum_to_student(u: float, groups: int) -> float:
    """Undo `student_to_sum`; infinite where so few groups cannot reach the sum."""
    return float(u * np.sqrt(max(groups - 1, 1) / (groups - u**2))) if u**2 < groups else np.inf


def step_down(sizes: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Adjust p-values by the largest of all contrasts not yet told apart (Westfall-Young)."""
    order = np.argsort(-seen, kind="stable")
    largest = np.maximum.accumulate(sizes[:, order[::-1]], axis=1)[:, ::-1]
    p = (1 + (largest >= seen[order] - 1e-9).sum(axis=0)) / (1 + len(sizes))
    out = np.empty(len(seen))
    out[order] = np.maximum.accumulate(p)
    return out


def simultaneous(
    difference: np.ndarray, error: np.ndarray, least: np.ndarray, quantile: float
) -> tuple[np.ndarray, np.ndarray]:
    """Differences that are not contradicted: by the variance seen, or the least that is possible.

    A true difference d has a variance of at least |d| (1 - |d|) per image, as right and wrong
    predictions have; so no interval is without a width, though no two predictions differed.

    Parameters
    ----------
    difference, error
        (C,) differences of mean scores, -1..1, and their standard errors.
    least
        (C,) by what the variance per image is multiplied for that of the mean.
    quantile
        Of the largest of all differences in standard errors; infinite: nothing is contradicted.
    """
    if not np.isfinite(quantile):
        return np.full(len(difference), -1.0), np.ones(len(difference))
    half = quantile * error
    size = quantile**2 * least  # of the quadratic (d - x)^2 = size x (1 - x)
    spread = np.sqrt(size**2 + 4 * size * np.abs(difference) * (1 - np.abs(difference)))
    far = (2 * np.abs(difference) + size + spread) / (2 * (1 + size))
    # On the other side of zero.
    across = (size - 2 * np.abs(difference) + np.sqrt(
        np.maximum(size**2 - 4 * size * np.abs(difference) * (1 + np.abs(difference)), 0.0)
    )) / (2 * (1 + size))  # fmt: skip
    reach = size**2 >= 4 * size * np.abs(difference) * (1 + np.abs(difference))
    near = np.where(reach & (across > 0), -across, np.abs(difference))
    high = np.where(difference >= 0, far, -near)
    low = np.where(difference >= 0, near, -far)
    return (
        np.clip(np.minimum(difference - half, low), -1, 1),
        np.clip(np.maximum(difference + half, high), -1, 1),
    )
