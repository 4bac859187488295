"""Four verdicts between cross-validated configurations, with the rate of false ones kept."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from gellib.evaluation.crossval.folded import UNSEEN, FoldedScores, fold_scores
from gellib.evaluation.crossval.max_t import (
    draw_signs,
    simultaneous,
    step_down,
    student_to_sum,
    sum_to_student,
)

BETTER, WORSE, SAME, UNCLEAR = "better", "worse", "same", "unclear"
MARGIN = 0.05  # five points: what nobody would call small
ALPHA = 0.05
_POWER = 0.8


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
    """Compare cross-validated configurations with the chosen one.

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
    """Give verdicts on differences of mean scores, as one family, such as the levels of a factor.

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
    over_groups, of_training = folded.variances(contrasts)
    variance = over_groups + of_training
    inflation = 1 + np.divide(
        of_training, over_groups, out=np.full(len(contrasts), UNSEEN), where=over_groups > 1e-15
    )
    least = inflation * folded.kish / n
    # No mean of values between -1 and 1 has less variance, if the margin is the truth.
    at_margin = np.sqrt(np.maximum(variance, margin * (1 - margin) * least))
    draws = draw_signs(folded, contrasts, seed)
    sizes = np.abs(draws)
    seen = student_to_sum(np.abs(difference) / np.sqrt(np.maximum(variance, 1e-15)), n_groups)
    p = (1 + (sizes >= seen - 1e-9).sum(axis=0)) / (1 + len(draws))
    adjusted = step_down(sizes, seen)
    # Signs of differences that are nearly all 0 have nearly nothing to say; Student's t has.
    freedom = max(n_groups - 1, 1)
    bounds = student_to_sum(student.ppf([1 - ALPHA / 2, 1 - ALPHA], freedom), n_groups)
    one_sided = np.sort(np.concatenate([draws.max(axis=1), -draws.min(axis=1)]))
    room = (margin - np.abs(difference)) / at_margin
    beyond = len(one_sided) - np.searchsorted(one_sided, student_to_sum(room, n_groups) - 1e-9)
    p_same = np.maximum((1 + beyond) / (1 + len(one_sided)), student.sf(room, freedom))
    largest = max(float(np.quantile(sizes.max(axis=1), 1 - ALPHA)), bounds[0])
    larger = max(float(np.quantile(one_sided, 1 - ALPHA)), bounds[1])
    low, high = simultaneous(
        difference, np.sqrt(variance), least, sum_to_student(largest, n_groups)
    )
    differs = (adjusted <= ALPHA) & (np.abs(difference) > 1e-12)
    # Stepwise tests see more than the interval for all questions at once.
    low = np.where(differs & (difference > 0), np.maximum(low, 0.0), low)
    high = np.where(differs & (difference < 0), np.minimum(high, 0.0), high)
    verdict = np.where(differs, np.where(difference > 0, BETTER, WORSE), UNCLEAR)
    verdict = np.where(p_same <= ALPHA, SAME, verdict)
    z = max(largest + norm.ppf(_POWER), larger + norm.ppf((1 + _POWER) / 2))
    needed = np.ceil(n * (z * at_margin / margin) ** 2)
    return [
        Verdict(
            i, -1, float(difference[i]), float(low[i]), float(high[i]), float(p[i]),
            float(adjusted[i]), float(p_same[i]), str(verdict[i]),
            int(needed[i]) if verdict[i] == UNCLEAR else None,
        )
        for i in range(len(contrasts))
    ]  # fmt: skip
