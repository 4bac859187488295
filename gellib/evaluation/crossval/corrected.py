"""How good a configuration is, and the chosen one after allowing for having been chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import t as student

from gellib.evaluation.crossval.folded import UNSEEN, FoldedScores, fold_scores
from gellib.evaluation.crossval.verdicts import choose
from gellib.evaluation.resampling import TAILS, Z, wilson

_DRAWS = 2000
_FEW_WRONG = 2.0  # fewer wrong predictions say little about the design effect
# The highest of 30 independent scores has this part of the variance of a single one.
_NARROWEST = 0.25
# To this power, found by simulation: 400 sweeps of each kind (`tests/benchmarks/evidence.py`).
_NARROWER = 1 / 3


@dataclass(frozen=True)
class ScoreInterval:
    """A cross-validated score with its 95 % interval, which is never without a width.

    It is about models trained on as many images as those of the folds: that of all images is, as a
    rule, a little better.
    """

    score: float
    low: float
    high: float
    images: int
    groups: int


@dataclass(frozen=True)
class Corrected:
    """What the chosen configuration is worth.

    `score` is corrected for the choice (with its interval), `seen` is what it had when it was
    chosen; `chosen` is its number. All are about models trained on as many images as those of the
    folds: that of all images is, as a rule, a little better.
    """

    chosen: int
    score: float
    low: float
    high: float
    seen: float
    images: int
    groups: int


def score_interval(
    values: np.ndarray, folds: np.ndarray, groups: Sequence[object] | None = None
) -> ScoreInterval:
    """Compute the cross-validated score of one configuration with its interval.

    Parameters
    ----------
    values
        (R, N) scores out of fold, 0..1; NaN where missing.
    folds
        (R, N) the fold of each image in each repeat.
    groups
        N names; images of one name are not independent. None: each image stands alone.
    """
    folded = fold_scores(np.asarray(values, dtype=float)[None], folds, groups)
    score = float(folded.means[0])
    return ScoreInterval(score, *_around(folded, score), folded.images, folded.groups)


def corrected_score(
    values: np.ndarray,
    folds: np.ndarray,
    groups: Sequence[object] | None = None,
    losses: Sequence[float] | np.ndarray | None = None,
    *,
    seed: int = 0,
) -> Corrected:
    """Correct the score of the chosen configuration for having been the highest of several.

    By bootstrap over groups (BBC-CV: Tsamardinos, Greasidou and Borboudakis 2018): the choice is
    made anew on the groups drawn and scored on those not drawn, and the mean of that is taken.

    Parameters
    ----------
    values
        (K, R, N) scores out of fold, 0..1; NaN where missing.
    folds
        (R, N) the fold of each image in each repeat.
    groups
        N names; images of one name are not independent. None: each image stands alone.
    losses
        (K,) log losses out of fold, which choose among equal scores.
    seed
        Of the draws; the global random state is neither used nor changed.
    """
    folded = fold_scores(values, folds, groups)
    chosen = choose(folded.means, losses)
    seen = float(folded.means[chosen])
    if len(folded.means) == 1:
        low, high = _around(folded, seen)
        return Corrected(chosen, seen, low, high, seen, folded.images, folded.groups)
    optimism, narrower = _optimism(folded, chosen, seed)
    score = float(np.clip(seen - optimism, 0.0, seen))
    # The correction errs, too, and is too large where one configuration stands out: so the lower
    # bound has a part of what it is narrower by, and the upper one is that of the score as seen.
    low, _ = _around(folded, score, narrower**_NARROWER)
    _, high = _around(folded, seen)
    return Corrected(chosen, score, low, high, seen, folded.images, folded.groups)


def _optimism(folded: FoldedScores, chosen: int, seed: int) -> tuple[float, float]:
    """By how much the highest score flatters, and its variance as a share of that of a single one.

    Groups that were not drawn are predicted by models of the same training sets: the luck of these
    is in what the bootstrap takes for the truth. How much of it follows from the variances of both,
    if luck is normal: the bootstrap chooses by the training's and twice the images' variance.
    """
    sums, sizes = folded.sums, folded.sizes
    counts = _counts(folded.groups, seed)
    left = (counts == 0).astype(float)
    drawn = counts @ sums / (counts @ sizes)[:, None]
    # Ties are broken at random, or the order of the configurations would choose.
    rng = np.random.default_rng([seed, 19])
    picked = (drawn + 1e-9 * rng.random(drawn.shape)).argmax(axis=1)
    images = left @ sizes
    found = (left @ sums)[np.arange(_DRAWS), picked] / np.maximum(images, 1)
    if not (images > 0).any():
        return 0.0, 1.0
    among = np.eye(sums.shape[1]) - 1 / sums.shape[1]
    over_groups, of_training = (part.sum() for part in folded.variances(among))
    t = of_training / over_groups if over_groups > 1e-15 else UNSEEN
    hidden = t / np.sqrt((1 + t) * (2 + t))
    optimism = (folded.means[chosen] - found[images > 0].mean()) / (1 - hidden)
    # That of all, because a chosen one without a mistake has none.
    single = drawn.var(axis=0).mean()
    narrower = drawn.max(axis=1).var() / single if single > 1e-15 else 1.0
    return max(float(optimism), 0.0), float(np.clip(narrower, _NARROWEST, 1.0))


@lru_cache(maxsize=2)
def _counts(groups: int, seed: int) -> np.ndarray:
    """How often each group is in each bootstrap sample: (draws, G)."""
    drawn = np.random.default_rng([seed, 18]).integers(groups, size=(_DRAWS, groups))
    drawn += groups * np.arange(_DRAWS)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=_DRAWS * groups).reshape(_DRAWS, groups)
    return counts.astype(float)


def _around(folded: FoldedScores, score: float, narrower: float = 1.0) -> tuple[float, float]:
    """Wilson's interval for as many images as the variance of the scores amounts to.

    How many images count as one is estimated from all configurations together: where the chosen one
    has hardly a mistake, it says little of that.
    """
    means, n = folded.means, folded.images
    ideal = float((means * (1 - means)).mean()) / n
    most = folded.kish * (1 + UNSEEN)
    effect = most
    if ideal > 1e-12:
        over_groups, of_training = folded.variances(np.eye(len(means)))
        effect = max(float((over_groups + of_training).mean()) / ideal, 1e-3)
        mean = float(means.mean())
        trust = min(1.0, n * min(mean, 1 - mean) / folded.kish / _FEW_WRONG)
        effect = effect**trust * most ** (1 - trust)
    effect *= narrower * (student.ppf(TAILS[1], max(folded.groups - 1, 1)) / Z) ** 2
    low, high = wilson(score * n / effect, n / effect)
    return min(low, score), max(high, score)
