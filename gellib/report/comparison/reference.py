"""The scores of the baselines on the test images of a sweep's runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gellib.base.paths import find_path
from gellib.config import config_key
from gellib.report.baselines import Baselines
from gellib.runs import Record, RunFolder, SweepPredictions
from gellib.runs.out_of_fold import OutOfFoldScores

# Of many repeats the first say enough about a baseline.
_MOST_REPEATS = 5


@dataclass(frozen=True)
class BaselineScores:
    """Mean score of each baseline, and its score on each test image (NaN where it has none).

    `problem` says why a baseline is missing.
    """

    means: dict[str, float] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    problem: str = ""


def score_baselines(
    folder: Path | None, records: Sequence[Record], predictions: SweepPredictions
) -> BaselineScores:
    """Fit and score the baselines on each data split of the finished runs."""
    if folder is None or predictions.scores is None:
        return BaselineScores(problem=predictions.reason or "the runs' predictions are not there")
    readable = set(predictions.scores.names)
    splits: dict[tuple[Any, ...], Record] = {}
    for record in records:
        if record.done and record.name in readable:
            config = record.config
            # Statistics of the images depend on their colours as well.
            key = config_key(config, upto="split"), config.get("color")
            splits.setdefault(key, record)
    baselines = Baselines(folder / "baselines.json")
    sums: dict[str, np.ndarray] = {}
    counts: dict[str, np.ndarray] = {}
    by_split: Counter[str] = Counter()
    for record in splits.values():
        table = RunFolder(folder / record.name).read_predictions()
        # Beside a given test part, the head is trained on all images that were cross-validated.
        table = table.assign(split=table["split"].replace("cv", "train"))
        root = find_path(record.data.root)
        color = record.config.get("color", "grey")
        found = baselines.predict(table, root, color=color, task=predictions.task)
        truth = dict(zip(table["file"], table["label"], strict=True))
        data = record.data.fingerprint
        for name, predicted in found.items():
            total = sums.setdefault(name, np.zeros(len(predictions.images)))
            count = counts.setdefault(name, np.zeros(len(predictions.images)))
            for file, label in predicted.items():
                row = predictions.images[data, file]
                total[row] += predictions.task.score_prediction(truth[file], label)
                count[row] += 1
            by_split[name] += 1
    baselines.save()
    # A baseline that is missing for some splits would be compared on other images than the runs.
    # Without test images, as beside a cross-validation alone, there is nothing to score.
    complete = [name for name, n in by_split.items() if n == len(splits) and counts[name].any()]
    with np.errstate(invalid="ignore"):
        values = {name: sums[name] / counts[name] for name in complete}
    means = {name: float(sums[name].sum() / counts[name].sum()) for name in complete}
    return BaselineScores(means, values, baselines.problem)


def score_out_of_fold(
    folder: Path | None, records: Sequence[Record], scores: OutOfFoldScores
) -> BaselineScores:
    """Fit and score the baselines in the folds of a cross-validated sweep.

    `values` are (repeats, images), as `scores` has them; of many repeats, the first few.
    """
    done = [record for record in records if record.done]
    if folder is None or len({(r.data.fingerprint, r.config.get("color")) for r in done}) != 1:
        return BaselineScores(problem="the runs do not share one set of images")
    record = done[0]
    table = RunFolder(folder / record.name).read_predictions()
    table = table[table["split"] == "cv"]
    place = {file: i for i, file in enumerate(scores.files)}
    rows = np.array([place[file] for file in table["file"]])
    truth = dict(zip(table["file"], table["label"], strict=True))
    baselines = Baselines(folder / "baselines.json")
    root, color = find_path(record.data.root), record.config.get("color", "grey")
    values: dict[str, np.ndarray] = {}
    for repeat, folds in enumerate(scores.folds[:_MOST_REPEATS]):
        for fold in range(int(folds.max()) + 1):
            split = np.where(folds[rows] == fold, "test", "train")
            found = baselines.predict(
                table.assign(split=split), root, color=color, task=record.task
            )
            for name, predicted in found.items():
                own = values.setdefault(name, np.full(scores.folds.shape, np.nan))
                for file, label in predicted.items():
                    own[repeat, place[file]] = record.task.score_prediction(truth[file], label)
    baselines.save()
    means = {name: float(np.nanmean(own)) for name, own in values.items()}
    return BaselineScores(means, values, baselines.problem)


def majority_of(table: pd.DataFrame) -> float | None:
    """Return the share of the commonest test class, from confusion matrices alone."""
    for matrix in table["conf_mat"]:
        if isinstance(matrix, list):
            per_class = np.sum(matrix, axis=1)
            return float(per_class.max() / per_class.sum())
    return None
