"""Four verdicts between cross-validated configurations, with the rate of false ones kept."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from gellib.evaluation.crossval.folded import FoldedScores, fold_scores

BETTER, WORSE, SAME, UNCLEAR = "better", "worse", "same", "unclear"
MARGIN = 0.05  # five points: what nobody would call small
ALPHA = 0.05
_POWER = 0.8
_DRAWS = 2000
_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Verdict:
    """Configuration (or contrast) `a` minus `b`.

    Attributes
    ----------
    a, b
        Numbers of the configurations; of a contrast, its number and -1.
    difference
        Of the mean scores, in 0..1.
    low, high
        95 % interval that holds for all questions of the family together. It is never empty and
        never without a width.
    p, p_adjusted
        That the two are equally good: of this question alone; adjusted for all questions and for
        having picked the highest.
    p_same
        That they differ by the margin or more, adjusted likewise.
    verdict
        "better" or "worse" (a than b), "same" (practically: they differ by less than the margin,
        which can be said of a difference that is there but small, too) or "unclear".
    images_needed
        Images at which a difference of the margin would be found with 80 % chance, and equality as
        well, all questions allowed for; None where the verdict is not "unclear".
    """

    a: int
    b: int
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    p_same: float
    verdict: str
    images_needed: int | None = None


@dataclass(frozen=True)
class Verdicts:
    """Verdicts on the chosen configuration against each other one, and on all pairs where asked.

    In `against` the chosen one is always `a`; in `pairs` the one with the higher score is.
    """

    chosen: int
    margin: float
    images: int
    groups: int
    against: tuple[Verdict, ...]
    pairs: tuple[Verdict, ...] = ()

    def of(self, other: int) -> Verdict:
        """The verdict on the chosen configuration against another."""
        return next(verdict for verdict in self.against if verdict.b == other)


def choose(means: np.ndarray, losses: Sequence[float] | np.ndarray | None = None) -> int:
    """Choose the highest mean score; of equal ones the least loss, then the first."""
    second = np.zeros(len(means)) if losses is None else np.asarray(losses, dtype=float)
    second = np.where(np.isfinite(second), second, np.inf)
    return int(np.lexsort((second, -np.round(means, 9)))[0])


def compare(
    values: np.ndarray,
    folds: np.ndarray,
    groups: Sequence[object] | None = None,
    margin: float = MARGIN,
    *,
    losses: Sequence[float] | np.ndarray | None = None,
    all_pairs: bool = False,
    seed: int = 0,
) -> Verdicts:
    """Judge cross-validated configurations against the chosen one.

    The family is always that of all pairs: the chosen one was picked by the same scores.

    Parameters
    ----------
    values
        (K, R, N) scores out of fold, 0..1; NaN where missing.
    folds
        (R, N) the fold of each image in each repeat.
    groups
        N names; images of one name are not independent. None: each image stands alone.
    margin
        Difference, in 0..1, below which two configurations are practically the same.
    losses
        (K,) log losses out of fold, which choose among equal scores.
    all_pairs
        Whether the verdicts on all pairs are returned, too.
    seed
        Of the draws; the global random state is neither used nor changed.
    """
    folded = fold_scores(values, folds, groups)
    count = len(folded.means)
    chosen = choose(folded.means, losses)
    rank = np.argsort(-np.round(folded.means, 9), kind="stable")
    rank = np.concatenate([[chosen], rank[rank != chosen]])
    pairs = list(itertools.combinations(rank.tolist(), 2))
    contrasts = np.zeros((len(pairs), count))
    for row, (a, b) in enumerate(pairs):
        contrasts[row, [a, b]] = 1.0, -1.0
    found = [
        replace(verdict, a=a, b=b)
        for verdict, (a, b) in zip(_judge(folded, contrasts, margin, seed), pairs, strict=True)
    ]
    against = tuple(sorted((v for v in found if v.a == chosen), key=lambda v: v.b))
    kept = tuple(found) if all_pairs else ()
    return Verdicts(chosen, margin, folded.images, folded.groups, against, kept)


def compare_contrasts(
    values: np.ndarray,
    folds: np.ndarray,
    groups: Sequence[object] | None,
    contrasts: np.ndarray,
    margin: float = MARGIN,
    *,
    seed: int = 0,
) -> list[Verdict]:
    """Judge any differences of mean scores, as one family: the levels of a factor, for example.

    Parameters
    ----------
    values, folds, groups, margin, seed
        As for `compare`.
    contrasts
        (C, K) weights of the configurations, whose sum is 0 in each row: 1/2, 1/2, -1/2, -1/2
        compares the mean of two configurations with that of two others.

    Raises
    ------
    ValueError
        Where the weights of a contrast do not add up to 0.
    """
    contrasts = np.asarray(contrasts, dtype=float)
    if np.abs(contrasts.sum(axis=1)).max(initial=0.0) > 1e-9:
        raise ValueError("the weights of each contrast have to add up to 0")
    return _judge(fold_scores(values, folds, groups), contrasts, margin, seed)


def _judge(folded: FoldedScores, contrasts: np.ndarray, margin: float, seed: int) -> list[Verdict]:
    if not len(contrasts):
        return []
    n, n_groups = folded.images, folded.groups
    difference = contrasts @ folded.means
    variance = folded.variance(contrasts) + folded.variance_of_training(contrasts)
    # No mean of values between -1 and 1 has less variance: of the margin, if that is the truth.
    inflation = 1 + np.divide(
        folded.variance_of_training(contrasts), folded.variance(contrasts),
        out=np.full(len(contrasts), 0.5), where=folded.variance(contrasts) > 1e-15,
    )  # fmt: skip
    least = inflation * folded.kish / n
    at_margin = np.sqrt(np.maximum(variance, margin * (1 - margin) * least))
    draws = _draw(folded, contrasts, seed)
    seen = _as_sum(np.abs(difference) / np.sqrt(np.maximum(variance, 1e-15)), n_groups)
    p = (1 + (np.abs(draws) >= seen - 1e-9).sum(axis=0)) / (1 + len(draws))
    adjusted = _step_down(draws, seen)
    room = (margin - np.abs(difference)) / at_margin
    inside = _as_sum(room, n_groups)
    upper, lower = draws.max(axis=1), -draws.min(axis=1)
    both = np.sort(np.concatenate([upper, lower]))
    p_same = (1 + len(both) - np.searchsorted(both, inside - 1e-9)) / (1 + len(both))
    # Signs of differences that are nearly all 0 have nearly nothing to say; Student's t has.
    freedom = max(n_groups - 1, 1)
    p_same = np.maximum(p_same, student.sf(room, freedom))
    bounds = _as_sum(student.ppf([1 - ALPHA / 2, 1 - ALPHA], freedom), n_groups)
    largest = max(np.quantile(np.abs(draws).max(axis=1), 1 - ALPHA), bounds[0])
    one_sided = max(np.quantile(both, 1 - ALPHA), bounds[1])
    low, high = _interval(difference, np.sqrt(variance), least, _as_t(largest, n_groups))
    found = []
    for i in range(len(contrasts)):
        verdict, needed = UNCLEAR, None
        if p_same[i] <= ALPHA:
            verdict = SAME
        elif adjusted[i] <= ALPHA and abs(difference[i]) > 1e-12:
            verdict = BETTER if difference[i] > 0 else WORSE
        else:
            power = norm.ppf(_POWER), norm.ppf((1 + _POWER) / 2)
            z = max(largest + power[0], one_sided + power[1])
            needed = math.ceil(n * (z * at_margin[i] / margin) ** 2)
        if adjusted[i] <= ALPHA:
            # Stepwise tests see more than the interval for all questions at once.
            low[i], high[i] = (max(low[i], 0.0), high[i]) if difference[i] > 0 else (
                low[i], min(high[i], 0.0)
            )  # fmt: skip
        found.append(
            Verdict(
                i,
                -1,
                float(difference[i]),
                float(low[i]),
                float(high[i]),
                float(p[i]),
                float(adjusted[i]),
                float(p_same[i]),
                verdict,
                needed,
            )  # fmt: skip
        )
    return found


def _draw(folded: FoldedScores, contrasts: np.ndarray, seed: int) -> np.ndarray:
    """(draws, C): each contrast in standard errors if the signs on each group were random.

    All contrasts on a group change sign together, which keeps how alike configurations are.
    """
    parts = folded.sums @ contrasts.T
    spread = np.sqrt((parts**2).sum(axis=0))
    spread = np.where(spread < 1e-9, np.inf, spread)
    rng = np.random.default_rng([seed, 17])
    out = np.empty((_DRAWS, len(contrasts)))
    step = max(1, _AT_ONCE // folded.groups)
    for start in range(0, _DRAWS, step):
        size = min(step, _DRAWS - start)
        signs = rng.integers(0, 2, size=(size, folded.groups), dtype=np.int8) * 2.0 - 1.0
        out[start : start + size] = (signs @ folded.sums) @ contrasts.T / spread
    return out


def _as_sum(t: np.ndarray, groups: int) -> np.ndarray:
    """Student's t to the sum over the root of the sum of squares, which signs leave as it is."""
    return np.asarray(t * np.sqrt(groups / (max(groups - 1, 1) + t**2)) * (np.abs(t) < np.inf))


def _as_t(u: float, groups: int) -> float:
    return float(u * np.sqrt(max(groups - 1, 1) / (groups - u**2))) if u**2 < groups else np.inf


def _step_down(draws: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Adjust p-values by the largest of all contrasts not yet told apart (Westfall-Young)."""
    order = np.argsort(-seen, kind="stable")
    largest = np.maximum.accumulate(np.abs(draws[:, order[::-1]]), axis=1)[:, ::-1]
    p = (1 + (largest >= seen[order] - 1e-9).sum(axis=0)) / (1 + len(draws))
    out = np.empty(len(seen))
    out[order] = np.maximum.accumulate(p)
    return out


def _interval(
    difference: np.ndarray, error: np.ndarray, least: np.ndarray, quantile: float
) -> tuple[np.ndarray, np.ndarray]:
    """Differences that are not contradicted: by the variance seen, or the least that is possible.

    A true difference d has a variance of at least |d| (1 - |d|) per image, as right and wrong
    predictions have; so no interval is without a width, though no two predictions differed.
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
