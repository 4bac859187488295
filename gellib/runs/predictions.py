"""Predictions of many runs to one matrix of scores, one row per test image: `read_sweep_predictions`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gellib.base.spreadsheet import from_cell
from gellib.evaluation import SINGLE_LABEL, ImageScores, Task, task_of_labels
from gellib.runs.record import Record

# Beyond this much text, comparing image by image would keep a reader of the summary waiting.
MOST_BYTES = 150_000_000


@dataclass(frozen=True)
class SweepPredictions:
    """Scores of runs on single test images, and the runs that could not be read.

    `images` has the row of each image, by data fingerprint and file name.
    """

    scores: ImageScores | None
    images: dict[tuple[str, str], int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    reason: str = ""
    task: Task = SINGLE_LABEL


def read_sweep_predictions(
    folder: Path, records: Sequence[Record], *, most_bytes: int = MOST_BYTES
) -> SweepPredictions:
    """Read `predictions.csv` of every finished run of a sweep's folder.

    The scores are those of `Task.score_prediction`, whose mean is the headline metric. Images are
    the same when their file name is, in data of the same fingerprint; the column `group`, where
    there is one, says which of them are not independent.
    """
    done = [record for record in records if record.done]
    paths = [Path(folder) / record.name / "predictions.csv" for record in done]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    if size > most_bytes:
        reason = f"the predictions are {size / 1e6:.0f} MB, more than is read for a summary"
        return SweepPredictions(None, {}, tuple(record.name for record in done), reason)
    rows: dict[tuple[str, str], int] = {}
    groups: dict[int, str] = {}
    columns, names, missing = [], [], []
    task = task_of_labels(any(not record.task.exclusive for record in done))
    for record, path in zip(done, paths, strict=True):
        data = record.data.fingerprint
        try:
            found = _read(path, task)
        except (OSError, ValueError, KeyError, StopIteration):
            missing.append(record.name)
            continue
        places = [rows.setdefault((data, file), len(rows)) for file, _, _ in found]
        groups |= {i: group for i, (_, _, group) in zip(places, found, strict=True) if group}
        names.append(record.name)
        columns.append((places, [score for _, score, _ in found]))
    if not names:
        return SweepPredictions(None, {}, tuple(missing), "the runs' predictions are not there")
    values = np.full((len(rows), len(names)), np.nan)
    for column, (places, of_run) in enumerate(columns):
        values[places, column] = of_run
    together = None
    if groups:
        together = tuple(groups.get(i, f"\0{i}") for i in range(len(rows)))
    reason = f"the predictions of {len(missing)} runs are not there" if missing else ""
    scores = ImageScores(values, tuple(names), together, task.headline_words)
    return SweepPredictions(scores, rows, tuple(missing), reason, task)


def _read(path: Path, task: Task) -> list[tuple[str, float, str]]:
    """Return file, score and group of each test image. pandas would take ten times as long."""
    with open(path, encoding="utf-8", newline="") as file:
        lines = (list(map(from_cell, row)) for row in csv.reader(file))
        place = {name: i for i, name in enumerate(next(lines))}
        name, split, label = place["file"], place["split"], place["label"]
        predicted, group = place["predicted"], place.get("group")
        return [
            (
                row[name],
                task.score_prediction(row[label], row[predicted]),
                row[group] if group is not None else "",
            )
            for row in lines
            if row[split] == "test"
        ]
