"""Whether runs can be ranked by their test scores, and whether a ranking holds over the seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gellib.evaluation import ALPHA, ImageScores, Ranking, t_test


def tested_on_same_images(done: pd.DataFrame, scores: ImageScores | None) -> bool:
    """Return whether the configurations were tested on the same images, seed by seed.

    `done` has one row per finished configuration and seed. Without scores on single images, the
    number of test images of each class decides.
    """
    if scores is not None and set(done["name"]) <= set(scores.names):
        for _, of_seed in done.groupby("seed", sort=False):
            tested = np.isfinite(scores.of(list(of_seed["name"])).values)
            if (tested != tested[:, :1]).any():
                return False
        return True
    sizes = done.groupby("seed")["conf_mat"].agg(
        lambda ms: len({tuple(np.sum(m, axis=1)) for m in ms if isinstance(m, list)})
    )
    n_test = done.groupby("seed")["n_test"].nunique()
    return bool((sizes <= 1).all() and (n_test <= 1).all())


def rank_over_seeds(ranking: Ranking, repeats: pd.DataFrame, score: str) -> Ranking:
    """Count a configuration as worse than the first only if it is worse over the seeds as well.

    `repeats` has one row per configuration and seed, with `score`, 0..1. Each p-value becomes the
    larger one of the test over images and Student's test over seeds.
    """
    by_seed = repeats.pivot_table(index="seed", columns="model_id", values=score)
    by_seed.columns = by_seed.columns.astype(str)
    first = by_seed[ranking.names[0]]
    behind = [(first - by_seed[name]).dropna().to_numpy() for name in ranking.names]
    p = np.array([t_test(differences) for differences in behind])
    return replace(
        ranking,
        tied=ranking.tied | (p > ALPHA),
        p=np.maximum(ranking.p, p),
        p_adjusted=np.maximum(ranking.p_adjusted, p),
    )
