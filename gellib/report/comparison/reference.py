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
from gellib.runs import Answers, Record, RunFolder


@dataclass(frozen=True)
class BaselineScores:
    """Mean score of each baseline, and its score on each test image (NaN where it has none).

    `problem` says why one is missing.
    """

    means: dict[str, float] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    problem: str = ""


def score_baselines(
    folder: Path | None, records: Sequence[Record], answers: Answers
) -> BaselineScores:
    """Fit and score the baselines on each split of images that the finished runs had."""
    if folder is None or answers.scores is None:
        return BaselineScores(problem=answers.reason or "the runs' predictions are not there")
    readable = set(answers.scores.names)
    splits: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in records:
        if record.done and record.name in readable:
            config = record.config
            # Of the colours, the statistics of the images depend too.
            key = config_key(config, upto="split"), config.get("color")
            splits.setdefault(key, record)
    baselines = Baselines(folder / "baselines.json")
    sums: dict[str, np.ndarray] = {}
    counts: dict[str, np.ndarray] = {}
    by_split: Counter[str] = Counter()
    for record in splits.values():
        table = RunFolder(folder / record.name).read_predictions()
        root = find_path(record.data.root)
        color = record.config.get("color", "grey")
        found = baselines.predict(table, root, color=color, task=answers.task)
        truth = dict(zip(table["file"], table["label"], strict=True))
        data = record.data.fingerprint
        for name, predicted in found.items():
            total = sums.setdefault(name, np.zeros(len(answers.images)))
            count = counts.setdefault(name, np.zeros(len(answers.images)))
            for file, label in predicted.items():
                row = answers.images[data, file]
                total[row] += answers.task.score_prediction(truth[file], label)
                count[row] += 1
            by_split[name] += 1
    baselines.save()
    # One that could be computed for some splits only would be compared with other images.
    complete = [name for name, n in by_split.items() if n == len(splits)]
    with np.errstate(invalid="ignore"):
        values = {name: sums[name] / counts[name] for name in complete}
    means = {name: float(sums[name].sum() / counts[name].sum()) for name in complete}
    return BaselineScores(means, values, baselines.problem)


def majority_of(table: pd.DataFrame) -> float | None:
    """Share of the commonest class among the test images, from confusion matrices alone."""
    for matrix in table["conf_mat"]:
        if isinstance(matrix, list):
            per_class = np.sum(matrix, axis=1)
            return float(per_class.max() / per_class.sum())
    return None
