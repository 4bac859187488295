"""What a factor of a sweep does: differences between its levels, all else equal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from gellib.evaluation.image_scores import ImageScores
from gellib.evaluation.paired import group_sums, holm, mean_interval, sign_flip, t_test
from gellib.evaluation.power import images_needed, seeds_needed, variance_of_mean

BETTER, WORSE, NO_EVIDENCE = "better", "worse", "no evidence of a difference"
ALPHA = 0.05
APART = "different test images"
# Runs are paired on the same images when nearly all test images are common to both.
_COMMON = 0.9


@dataclass(frozen=True)
class Effect:
    """One comparison: level `a` minus level `b` of a factor, over pairs of runs.

    `low` and `high` bound the mean difference at 95 %, not adjusted for the number of
    comparisons; `p` is, where it matters, in `p_holm`. `unit` says over what was tested.
    """

    factor: str
    a: Any
    b: Any
    difference: float
    low: float
    high: float
    pairs: int
    higher: int
    equal: int
    lower: int
    seeds: int
    images: int
    unit: str
    p: float
    p_holm: float = float("nan")
    verdict: str = NO_EVIDENCE
    images_needed: int | None = None
    seeds_needed: int | None = None


def factor_effects(
    table: pd.DataFrame,
    factors: Sequence[str],
    *,
    only: Sequence[str] | None = None,
    value: str = "accuracy",
    scores: ImageScores | None = None,
    blocks: Sequence[str] = ("seed",),
) -> list[Effect]:
    """Compare the levels of each factor over pairs of runs that differ in nothing else.

    The claim "a is better than b" is to hold for other images and for other seeds, so it has to
    pass a test of each kind that the runs allow: signs flipped over the (groups of) test images,
    every image with its mean difference over all pairs; and, with two seeds or more, Student's
    test over the seeds' mean differences. Without scores of single images, signs are flipped over
    the pairs. Holm's adjustment covers all comparisons returned.

    Parameters
    ----------
    table
        A row a finished run, indexed by anything: factors, `blocks`, `name`, the value.
    factors
        Columns that the sweep varies; partners agree in all but one of them.
    only
        Those of them whose levels are compared; by default all.
    scores
        Scores of the runs on single test images.
    blocks
        Columns that pairs share as well: the seed, the fold.
    """
    found: list[Effect] = []
    for factor in factors if only is None else only:
        others = [name for name in factors if name != factor] + list(blocks)
        found += _levels(table, factor, others, value, scores)
    return adjust_for_multiplicity(found)


def adjust_for_multiplicity(effects: Sequence[Effect]) -> list[Effect]:
    """Adjust the p-values of a family of comparisons, and give each its verdict."""
    adjusted = holm([effect.p for effect in effects])
    return [
        replace(effect, p_holm=float(p), verdict=_verdict(effect.difference, p))
        for effect, p in zip(effects, adjusted, strict=True)
    ]


def _verdict(difference: float, p: float) -> str:
    if p > ALPHA or abs(difference) < 1e-12:
        return NO_EVIDENCE
    return BETTER if difference > 0 else WORSE


def _levels(
    table: pd.DataFrame, factor: str, others: list[str], value: str, scores: ImageScores | None
) -> list[Effect]:
    levels = list(dict.fromkeys(table[factor]))
    rows = {level: _by_setting(table[table[factor] == level], others) for level in levels}
    effects = []
    for a, b in itertools.combinations(levels, 2):
        of_a, of_b = rows[a], rows[b]
        if of_a is None or of_b is None:
            continue
        both = of_a.index.intersection(of_b.index, sort=False)
        if len(both):
            one, two = of_a.loc[both], of_b.loc[both]
            effects.append(compare_pairs(factor, a, b, one, two, value=value, scores=scores))
    return effects


def _by_setting(rows: pd.DataFrame, others: list[str]) -> pd.DataFrame | None:
    """Index runs by all that they share with their partner; None where that is ambiguous."""
    keyed = rows.set_index(others) if others else rows
    return keyed if keyed.index.is_unique else None


def compare_pairs(
    factor: str,
    a: Any,
    b: Any,
    one: pd.DataFrame,
    two: pd.DataFrame,
    *,
    value: str = "accuracy",
    scores: ImageScores | None = None,
) -> Effect:
    """Compare runs with their partners, row by row: `one` minus `two`; `p` is not adjusted yet.

    Parameters
    ----------
    factor, a, b
        The parameter that differs, and its value in the runs of `one` and of `two`.
    one, two
        Runs, one per row; partners are in the same row.
    value
        Column of the score, 0..1.
    scores
        Scores of single images, which the test then uses; None: it compares pairs of runs.
    """
    gaps = one[value].to_numpy(dtype=float) - two[value].to_numpy(dtype=float)
    blocks = _seeds(one)
    by_seed = pd.Series(gaps).groupby(blocks).mean().to_numpy()
    seeds, rounded = len(by_seed), np.round(gaps, 9)
    unit, n, p, spread = "pairs of runs", 0, sign_flip(gaps), float("nan")
    low, high = mean_interval(gaps)
    paired = (
        None if scores is None else _paired_scores(scores, list(one["name"]), list(two["name"]))
    )
    if scores is not None and paired is not None:
        unit, n, p, error = _over_images(*paired, scores.groups)
        if unit == APART and seeds < 2:
            # Other images in test mean others in training too: one draw of each proves nothing.
            p = 1.0
        # The variance that one image, by itself, would bring.
        spread = error**2 * n
        half = stats.t.ppf(0.975, max(n - 1, 1)) * error
        low, high = gaps.mean() - half, gaps.mean() + half
    if seeds > 1:
        unit += " and seeds"
        p = max(p, t_test(by_seed))
        own = mean_interval(by_seed)
        low, high = np.fmin(low, own[0]), np.fmax(high, own[1])
    low, high = np.clip([low, high], -1, 1)  # shares differ by no more
    return Effect(
        factor, a, b, float(gaps.mean()), float(low), float(high), len(gaps),
        int((rounded > 0).sum()), int((rounded == 0).sum()), int((rounded < 0).sum()),
        seeds, n, unit, float(p),
        images_needed=images_needed(spread) if np.isfinite(spread) else None,
        seeds_needed=seeds_needed(float(by_seed.std(ddof=1))) if seeds > 1 else None,
    )  # fmt: skip


def _seeds(rows: pd.DataFrame) -> np.ndarray:
    if "seed" in rows.columns:
        return rows["seed"].to_numpy()
    if "seed" in rows.index.names:
        return np.asarray(rows.index.get_level_values("seed"))
    return np.zeros(len(rows))


def _paired_scores(
    scores: ImageScores, one: Sequence[str], two: Sequence[str]
) -> tuple[np.ndarray, np.ndarray] | None:
    place = scores.place
    if not all(name in place for name in itertools.chain(one, two)):
        return None
    first, second = (scores.values[:, [place[name] for name in names]] for names in (one, two))
    return first, second


def _over_images(
    a: np.ndarray, b: np.ndarray, groups: Sequence[str] | None
) -> tuple[str, int, float, float]:
    """Test two sets of runs over the test images: unit, images, p-value, standard error."""
    tested_a, tested_b = np.isfinite(a), np.isfinite(b)
    both = tested_a & tested_b
    rows = both.any(axis=1)
    if both.sum() >= _COMMON * max(tested_a.sum(), tested_b.sum()):
        sums = np.where(both, a - b, 0.0)[rows].sum(axis=1)
        sums = group_sums(sums, None if groups is None else np.asarray(groups, object)[rows])
        error = np.sqrt(variance_of_mean(sums, int(both.sum())))
        return "test images", int(rows.sum()), sign_flip(sums), float(error)
    # Other images on either side: nothing to pair, so the spread over the images is in the way.
    means, errors, counts = [], [], []
    for values, tested in ((a, tested_a), (b, tested_b)):
        rows = tested.any(axis=1)
        own = np.where(tested, values, 0.0)[rows].sum(axis=1)
        n = int(tested.sum())
        means.append(own.sum() / n)
        centred = own - means[-1] * tested[rows].sum(axis=1)
        kept = None if groups is None else np.asarray(groups, object)[rows]
        errors.append(variance_of_mean(group_sums(centred, kept), n))
        counts.append(int(rows.sum()))
    error = float(np.sqrt(sum(errors)))
    t = abs(means[0] - means[1]) / error if error > 0 else np.inf
    p = 2 * stats.t.sf(t, max(min(counts) - 1, 1)) if means[0] != means[1] else 1.0
    return APART, min(counts), float(p), error
