"""Which test images runs share, within a seed and from seed to seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gellib.evaluation import ImageScores
from gellib.runs import Record


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


def split_ratio(records: Sequence[Record], scores: ImageScores | None) -> float:
    """Return how many images each seed draws out of training anew, per training image.

    These are the test images where seeds do not test the same ones, else the validation images.
    The training sets of several seeds overlap the more, the smaller this is; 0 where the records
    do not say.
    """
    done = [record for record in records if record.done and record.data.counts]
    if not done:
        return 0.0
    counts = done[0].data.counts.values()
    sizes = {split: sum(n.get(split, 0) for n in counts) for split in ("train", "val", "test")}
    apart = scores is not None and not np.isfinite(scores.values).all()
    drawn = sizes["test" if apart else "val"]
    return drawn / max(sizes["train"], 1)


def of_common_seeds(finished: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Return, by `model_id` as text, the runs of the seeds that all of these have finished."""
    rows = finished.assign(model_id=finished["model_id"].astype(str))
    runs = rows.pivot(index="seed", columns="model_id", values="name")[list(names)].dropna()
    return {name: runs[name].tolist() for name in names}
