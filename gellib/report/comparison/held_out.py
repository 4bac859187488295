"""Configurations compared on their test images: common scores, ties with the highest, baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gellib.evaluation import (
    ImageScores,
    Indistinguishable,
    distinguish_over_seeds,
    find_indistinguishable,
    group_sums,
    sign_flip,
)
from gellib.report.comparison.tested_images import of_common_seeds

# With more models, comparing all pairs would be slow and tell little.
MOST_RANKED = 60


def scores_by_model(scores: ImageScores, done: pd.DataFrame) -> ImageScores | None:
    """Return the scores of configurations, best first, on the images that all of them tested."""
    done, known = done.head(MOST_RANKED), set(scores.names)
    members = {
        str(model_id): runs
        for model_id, runs in zip(done["model_id"], done["runs"], strict=True)
        if set(runs) <= known
    }
    common = scores.pooled(members).common() if members else None
    return common if common is not None and len(common.values) else None


def find_ties(
    of_models: ImageScores, of_runs: ImageScores, finished: pd.DataFrame, ratio: float
) -> Indistinguishable:
    """Find the configurations that cannot be distinguished from the highest.

    Parameters
    ----------
    of_models
        Scores of the configurations, on common images.
    of_runs
        Scores of their runs, one for each seed.
    finished
        One row per finished configuration and seed.
    ratio
        As for `distinguish_over_seeds`.
    """
    found = find_indistinguishable(of_models)
    if finished["seed"].nunique() < 2:
        return found
    members = of_common_seeds(finished, found.names)
    if len(next(iter(members.values()))) < 2:
        return found
    return distinguish_over_seeds(found, of_runs, members, ratio=ratio)


def p_against(scores: ImageScores, runs: Sequence[str], other: np.ndarray) -> float | None:
    """Return the p-value of the mean of runs against other scores; None where it is not known."""
    if not set(runs) <= set(scores.names):
        return None
    mine = scores.pooled({"": runs})
    values = mine.values[:, 0]
    both = np.isfinite(values) & np.isfinite(other)
    groups = None if mine.groups is None else np.asarray(mine.groups, dtype=object)[both]
    return sign_flip(group_sums((values - other)[both], groups)) if both.any() else None
