"""What a factor of a sweep does: differences between its levels, all else equal."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from gellib.evaluation.image_scores import ImageScores
from gellib.evaluation.paired import holm, mean_interval, sign_flip, t_test
from gellib.evaluation.power import images_needed, seeds_needed
from gellib.evaluation.run_pairs import PairTest, compare_over_images

BETTER, WORSE, NO_EVIDENCE = "better", "worse", "no evidence of a difference"
# Only where equivalence within a margin was tested, by cross-validation.
PRACTICALLY_SAME, NOT_ENOUGH = "practically the same", "not enough evidence"
ALPHA = 0.05


@dataclass(frozen=True)
class Effect:
    """One comparison: level `a` minus level `b` of a factor, over pairs of runs.

    `low` and `high` bound the mean difference at 95 %, not adjusted for the number of
    comparisons; `p` is, where it matters, in `p_holm`. `unit` says over what was tested.
    `variance` is that of the difference on one image, `deviation` that from seed to seed;
    `images_needed` and `seeds_needed` allow for the number of comparisons.
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
    variance: float = float("nan")
    deviation: float = float("nan")
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
    ratio: float = 0.0,
) -> list[Effect]:
    """Compare the levels of each factor over pairs of runs that differ in nothing else.

    Signs are flipped over the (groups of) test images, every image with its mean difference over
    all pairs. With two seeds or more, the claim "a is better than b" is to hold for other seeds as
    well: a test whose error has a part of the images and one of the seeds (`mean_error`) must see
    the difference too. Without scores of single images, signs are flipped over the pairs, and
    Student's test is over the seeds. Holm's adjustment covers all comparisons returned.

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
    ratio
        Images tested per training image where each seed draws its own split, else 0.
    """
    found: list[Effect] = []
    for factor in factors if only is None else only:
        others = [name for name in factors if name != factor] + list(blocks)
        found += _levels(table, factor, others, value, scores, ratio)
    return adjust_for_multiplicity(found)


def adjust_for_multiplicity(effects: Sequence[Effect]) -> list[Effect]:
    """Adjust a family of comparisons for their number: p-values, verdicts, images needed."""
    adjusted, questions = holm([effect.p for effect in effects]), len(effects)

    def needed(count: Callable[..., int], spread: float) -> int | None:
        return count(spread, questions=questions) if np.isfinite(spread) else None

    return [
        replace(
            effect,
            p_holm=float(p),
            verdict=_verdict(effect.difference, p),
            images_needed=needed(images_needed, effect.variance),
            seeds_needed=needed(seeds_needed, effect.deviation),
        )
        for effect, p in zip(effects, adjusted, strict=True)
    ]


def _verdict(difference: float, p: float) -> str:
    if p > ALPHA or abs(difference) < 1e-12:
        return NO_EVIDENCE
    return BETTER if difference > 0 else WORSE


def _levels(
    table: pd.DataFrame,
    factor: str,
    others: list[str],
    value: str,
    scores: ImageScores | None,
    ratio: float,
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
            effects.append(
                compare_pairs(factor, a, b, one, two, value=value, scores=scores, ratio=ratio)
            )
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
    ratio: float = 0.0,
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
    ratio
        Images tested per training image where each seed draws its own split, else 0.
    """
    gaps = one[value].to_numpy(dtype=float) - two[value].to_numpy(dtype=float)
    blocks = _seeds(one)
    by_seed = pd.Series(gaps).groupby(blocks).mean().to_numpy()
    seeds, rounded = len(by_seed), np.round(gaps, 9)
    paired = (
        None if scores is None else _paired_scores(scores, list(one["name"]), list(two["name"]))
    )
    if scores is not None and paired is not None:
        tested = compare_over_images(*paired, scores.groups, blocks, ratio)
    else:
        p = max(sign_flip(gaps), t_test(by_seed) if seeds > 1 else 0.0)
        tested = PairTest("pairs of runs", 0, p, *_pairs_interval(gaps, by_seed))
    unit = tested.unit + " and seeds" * (seeds > 1)
    return Effect(
        factor, a, b, float(gaps.mean()), tested.low, tested.high, len(gaps),
        int((rounded > 0).sum()), int((rounded == 0).sum()), int((rounded < 0).sum()),
        seeds, tested.images, unit, tested.p, variance=tested.variance,
        deviation=float(by_seed.std(ddof=1)) if seeds > 1 else float("nan"),
    )  # fmt: skip


def _pairs_interval(gaps: np.ndarray, by_seed: np.ndarray) -> tuple[float, float]:
    """Bound a mean difference by pairs and by seeds alone; NaN where these do not differ."""
    bounds = [mean_interval(gaps), mean_interval(by_seed)] if len(by_seed) > 1 else []
    low, high = zip(*(bounds or [mean_interval(gaps)]), strict=True)
    ends = np.clip([np.fmin.reduce(low), np.fmax.reduce(high)], -1, 1)  # shares: no further
    # Pairs that all have one gap would leave an interval without width, as if it were proven.
    return (float(ends[0]), float(ends[1])) if ends[0] < ends[1] else (float("nan"), float("nan"))


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
