"""Two sets of runs compared image by image, paired where both tested the same images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from gellib.evaluation.over_seeds import mean_error
from gellib.evaluation.paired import group_sums, sign_flip
from gellib.evaluation.power import variance_of_mean

APART = "different test images"
# Runs are paired on the same images when nearly all test images are common to both.
_COMMON = 0.9


@dataclass(frozen=True)
class PairTest:
    """Over what a comparison was tested, on how many images, and what came out.

    `p` is not adjusted; `low` and `high` bound the mean difference at 95 %; `variance` is that of
    the difference on one image.
    """

    unit: str
    images: int
    p: float
    low: float
    high: float
    variance: float = float("nan")


def compare_over_images(
    a: np.ndarray, b: np.ndarray, groups: Sequence[str] | None, seeds: np.ndarray, ratio: float
) -> PairTest:
    """Compare two sets of runs over their test images.

    Parameters
    ----------
    a, b
        Scores (images, runs), 0..1, partners in the same column; NaN where not tested.
    groups
        The group of each image; None: each image is its own.
    seeds
        (runs,) the seed of each column.
    ratio
        Images tested per training image where each seed draws its own split, else 0.
    """
    tested_a, tested_b = np.isfinite(a), np.isfinite(b)
    both = tested_a & tested_b
    if both.sum() < _COMMON * max(tested_a.sum(), tested_b.sum()):
        return _apart(a, b, groups, seeds, ratio)
    rows = both.any(axis=1)
    kept = None if groups is None else np.asarray(groups, object)[rows]
    gaps = np.where(both, a - b, 0.0)[rows]
    sums = group_sums(gaps.sum(axis=1), kept)
    by_seed = []
    for seed in dict.fromkeys(seeds):
        own = seeds == seed
        count = both[rows][:, own].sum(axis=1)
        mean = gaps[:, own].sum(axis=1) / np.maximum(count, 1)
        by_seed.append(np.where(count > 0, mean, np.nan))
    found = mean_error(np.stack(by_seed, axis=1), kept, ratio=ratio)
    p = sign_flip(sums)
    if len(by_seed) > 1:
        p = max(p, found.p_value())
    n = int(rows.sum())
    # The variance that one image, by itself, would bring.
    variance = variance_of_mean(sums, int(both.sum())) * n
    return PairTest("test images", n, p, found.low, found.high, variance)


def _apart(
    a: np.ndarray, b: np.ndarray, groups: Sequence[str] | None, seeds: np.ndarray, ratio: float
) -> PairTest:
    """Test over images that are others on either side: nothing to pair, so all their spread counts.

    With one seed there is no evidence: other images in test mean others in training too.
    """
    means, variances, counts = [], [], []
    for values in (a, b):
        tested = np.isfinite(values)
        rows = tested.any(axis=1)
        kept = None if groups is None else np.asarray(groups, object)[rows]
        sums = group_sums(np.where(tested, values, 0.0)[rows].sum(axis=1), kept)
        sizes = group_sums(tested[rows].sum(axis=1), kept)
        # One more group that is right and one that is wrong (Agresti and Caffo 2000).
        weight = sizes.mean()
        sums, sizes = np.append(sums, [weight, 0.0]), np.append(sizes, [weight, weight])
        means.append(sums.sum() / sizes.sum())
        variances.append(variance_of_mean(sums - means[-1] * sizes, sizes.sum()))
        counts.append(int(rows.sum()))
    scored = [np.nanmean(values, axis=0) for values in (a, b)]
    by_seed = pd.Series(scored[0] - scored[1]).groupby(seeds).mean().to_numpy()
    variance, freedom = sum(variances), max(min(counts) - 1, 1)
    p = 1.0
    if len(by_seed) > 1:
        variance += by_seed.var(ddof=1) * (1 / len(by_seed) + ratio)
        freedom = min(freedom, len(by_seed) - 1)
        p = float(2 * stats.t.sf(abs(by_seed.mean()) / np.sqrt(variance), freedom))
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    low, high = np.clip(means[0] - means[1] + np.array([-half, half]), -1, 1)
    spread = sum(variances) * min(counts)
    return PairTest(APART, min(counts), p, float(low), float(high), float(spread))
