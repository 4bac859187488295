"""Comparing runs: paired tests, effects of factors, rankings that show ties, what is needed.

All on plain tables and arrays; nothing here knows about torch or files.
"""

from gellib.statistics.effects import (
    ALPHA,
    BETTER,
    NO_EVIDENCE,
    WORSE,
    Effect,
    compare_pairs,
    factor_effects,
    judge,
)
from gellib.statistics.paired import (
    group_sums,
    holm,
    mcnemar,
    mean_interval,
    sign_flip,
    t_test,
    wilson,
)
from gellib.statistics.power import DIFFERENCE, images_needed, seeds_needed, variance_of_mean
from gellib.statistics.ranking import Ranking, optimism, rank
from gellib.statistics.scores import ImageScores

__all__ = [
    "ALPHA",
    "BETTER",
    "DIFFERENCE",
    "NO_EVIDENCE",
    "WORSE",
    "Effect",
    "ImageScores",
    "Ranking",
    "compare_pairs",
    "factor_effects",
    "group_sums",
    "holm",
    "images_needed",
    "judge",
    "mcnemar",
    "mean_interval",
    "optimism",
    "rank",
    "seeds_needed",
    "sign_flip",
    "t_test",
    "variance_of_mean",
    "wilson",
]
