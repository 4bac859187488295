"""Which models cannot be distinguished from the best, and what choosing by test images costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from gellib.evaluation.image_scores import ImageScores
from gellib.evaluation.over_seeds import mean_error
from gellib.evaluation.paired import group_sums, sign_flip

ALPHA = 0.05
_DRAWS = 2000


@dataclass(frozen=True)
class Indistinguishable:
    """Models in falling order of their score on common test images.

    `tied` says of each model whether it cannot be distinguished from the first; `p_adjusted` is
    the p-value against the first adjusted for all pairs, `p` that of the pair alone.
    """

    names: tuple[str, ...]
    means: np.ndarray
    tied: np.ndarray
    p: np.ndarray
    p_adjusted: np.ndarray
    images: int
    groups: int


def find_indistinguishable(
    scores: ImageScores, *, draws: int = _DRAWS, seed: int = 0
) -> Indistinguishable:
    """Order models by score and find those that cannot be distinguished from the best.

    The best is picked by the same scores that say how far the others are behind, so a
    pair's own p-value would see differences where there are none. Here the largest difference of
    all pairs, each in its standard errors, sets the measure: the signs of all differences on an
    image (or group of images) are flipped together, which keeps how alike models are. Models that
    differ are taken out, and the rest is compared again until none differs.
    """
    scores = scores.common()
    means = scores.values.mean(axis=0)
    # Equal scores in the order given, which is the order of the sweep.
    order = np.argsort(-np.round(means, 9), kind="stable")
    centred = scores.values - scores.values.mean(axis=1, keepdims=True)
    sums = np.stack([group_sums(column, scores.groups) for column in centred.T], axis=1)[:, order]
    n, m = sums.shape
    adjusted = np.ones(m)
    alive = np.arange(m)
    while len(alive) > 1:
        t = _differences(sums[:, alive], draws, seed)
        p = (1 + (t[1:] >= t[0][None, :] - 1e-9).sum(axis=0)) / (1 + draws)
        adjusted[alive[1:]] = p
        out = np.flatnonzero(p <= ALPHA)
        if not len(out):
            break
        alive = np.delete(alive, out + 1)
    tied = np.zeros(m, dtype=bool)
    tied[alive] = True
    first = sums[:, 0]
    pairwise = np.array([1.0] + [sign_flip(first - sums[:, j]) for j in range(1, m)])
    return Indistinguishable(
        tuple(scores.names[i] for i in order), means[order], tied, pairwise, adjusted,
        len(scores.values), n,
    )  # fmt: skip


def _differences(sums: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Return the first model's lead over each other in standard errors, then each draw's largest.

    Row 0 has the leads seen; the rows below repeat, for each draw, the largest of all pairs.
    """
    n, m = sums.shape
    gram = sums.T @ sums
    # The standard error of a difference is the same whatever the signs.
    errors = np.sqrt(np.maximum(gram.diagonal()[:, None] + gram.diagonal() - 2 * gram, 0.0))
    errors = np.where(errors < 1e-9, np.inf, errors)
    total = sums.sum(axis=0)
    seen = np.maximum((total[0] - total[1:]) / errors[0, 1:], 0.0)
    rng = np.random.default_rng(seed)
    largest = np.empty(draws)
    chunk = max(1, int(4e6 / (m * m)))
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        signs = rng.integers(0, 2, size=(size, n), dtype=np.int8) * 2.0 - 1.0
        t = signs @ sums
        gaps = np.abs(t[:, :, None] - t[:, None, :]) / errors
        largest[start : start + size] = gaps.reshape(size, -1).max(axis=1)
    return np.vstack([seen, np.broadcast_to(largest[:, None], (draws, m - 1))])


def distinguish_over_seeds(
    found: Indistinguishable,
    scores: ImageScores,
    members: Mapping[str, Sequence[str]],
    *,
    ratio: float = 0.0,
) -> Indistinguishable:
    """Count a model as worse than the best only if that holds for other images and other seeds.

    The error of a difference has the part of the images and that of the seeds (`mean_error`); the
    seeds' part is no smaller than the mean of all pairs, because three seeds by themselves say
    little. Tukey's range adjusts for the number of models and for the best having been picked by
    the same scores. The test over images alone (`find_indistinguishable`) must see the difference
    too: with few images that disagree, its exact distribution is the stricter one.

    Parameters
    ----------
    found
        The models over their test images.
    scores
        Scores of the runs on single test images.
    members
        By name of the model, its runs, one for each seed, in the same order of seeds.
    ratio
        Images tested per training image where each seed draws its own split, else 0.
    """
    seeds = [scores.of(members[name]).values for name in found.names]
    first, m = seeds[0], len(seeds)
    pairs = [mean_error(first - other, scores.groups, ratio=ratio) for other in seeds[1:]]
    every = [
        mean_error(a - b, scores.groups, ratio=ratio)
        for i, a in enumerate(seeds)
        for b in seeds[i + 1 :]
    ]
    least = float(np.mean([pair.error**2 - pair.images for pair in every]))
    errors = np.array([max(pair.error, np.sqrt(pair.images + least)) for pair in pairs])
    t = np.array([pair.mean for pair in pairs]) / np.where(errors > 0, errors, np.inf)
    freedom = np.array([pair.freedom for pair in pairs])
    own = np.append(1.0, 2 * stats.t.sf(np.abs(t), freedom))
    adjusted = np.append(1.0, stats.studentized_range.sf(np.abs(t) * np.sqrt(2), m, freedom))
    adjusted = np.maximum(found.p_adjusted, adjusted)
    return replace(found, tied=adjusted > ALPHA, p=np.maximum(found.p, own), p_adjusted=adjusted)


def optimism(scores: ImageScores, *, draws: int = 2000, seed: int = 0) -> float:
    """Points of 0..1 by which the highest of several test scores is expected to flatter.

    Test images are drawn anew with replacement and the highest scorer on them is picked; what it
    has there above its score on the images as they are is the optimism. An estimate from below: in
    simulations it was 0.5 to 0.9 of the true one, while judging by the images that were not drawn
    gave 1.3 to 1.9 times as much.
    """
    scores = scores.common()
    values = scores.values
    if values.shape[1] < 2:
        return 0.0
    sums = np.stack([group_sums(column, scores.groups) for column in values.T], axis=1)
    sizes = group_sums(np.ones(len(values)), scores.groups)
    n = len(sums)
    if n < 2:
        return 0.0
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=draws)
    drawn = counts @ sums / (counts @ sizes)[:, None]
    # Ties are broken at random, or the order of the models would choose.
    picked = (drawn + 1e-9 * rng.random(drawn.shape)).argmax(axis=1)
    return float((drawn[np.arange(draws), picked] - values.mean(axis=0)[picked]).mean())
