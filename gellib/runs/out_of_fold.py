"""Out-of-fold predictions of a sweep as one array of scores: `read_sweep_out_of_fold`."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gellib.base.spreadsheet import from_cell
from gellib.config import OUTPUT_FIELDS, REPEAT_PARAMETERS
from gellib.evaluation import Task
from gellib.runs.record import Record
from gellib.runs.run_folder import RunFolder


@dataclass(frozen=True)
class OutOfFoldScores:
    """Scores of K configurations on N images, each image predicted by heads that never saw it.

    Attributes
    ----------
    values
        (K, R, N) scores by `Task.score_prediction`, 0 to 1; R counts the repeats of all seeds. NaN
        where a configuration has no prediction.
    folds
        (R, N) number of the fold that held an image out, from 0; -1 where that is not known.
    groups
        N names: images of one name are not independent of each other. None: all are.
    names
        K names: the first run of each configuration.
    losses
        (K,) log loss of the out-of-fold predictions, nats; the mean over seeds.
    files
        N names of the images.
    paired
        Whether all configurations were evaluated in the same folds.
    missing
        Runs whose predictions cannot be read.
    """

    values: np.ndarray
    folds: np.ndarray
    groups: tuple[str, ...] | None
    names: tuple[str, ...]
    losses: np.ndarray
    files: tuple[str, ...]
    paired: bool = True
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class _RunScores:
    """The rows of one `out_of_fold.csv`: numbers of repeat, fold and image, and scores."""

    repeat: np.ndarray
    fold: np.ndarray
    image: np.ndarray
    score: np.ndarray


def read_sweep_out_of_fold(folder: Path, records: Sequence[Record]) -> OutOfFoldScores | None:
    """Read `out_of_fold.csv` of every finished run of a sweep that was cross-validated.

    Images are the same when their file name is, in data of the same fingerprint. Runs that differ
    in their seed alone are further repeats of one configuration.

    Parameters
    ----------
    folder
        The sweep's folder.
    records
        Its records; those of holdouts are passed over.

    Returns
    -------
    OutOfFoldScores or None
        None where no run was cross-validated, or none can be read.
    """
    done = [r for r in records if r.done and r.evaluation.method == "cv"]
    images: dict[tuple[str, str], int] = {}
    groups: dict[int, str] = {}
    members: dict[str, list[tuple[Record, _RunScores]]] = {}
    missing = []
    for record in done:
        path = RunFolder(Path(folder) / record.name).out_of_fold
        try:
            found = _read(path, record, images, groups)
        except (OSError, ValueError, KeyError, StopIteration):
            missing.append(record.name)
            continue
        members.setdefault(_configuration(record), []).append((record, found))
    if not members:
        return None
    # The repeats of one seed have the same place in each configuration, so that they are paired.
    seeds = sorted({record.config.get("seed", 0) for runs in members.values() for record, _ in runs})
    repeats = max(int(found.repeat.max()) + 1 for runs in members.values() for _, found in runs)
    values = np.full((len(members), len(seeds) * repeats, len(images)), np.nan)
    folds = np.full(values.shape, -1)
    for k, runs in enumerate(members.values()):
        for record, found in runs:
            r = seeds.index(record.config.get("seed", 0)) * repeats + found.repeat
            values[k, r, found.image], folds[k, r, found.image] = found.score, found.fold
    own = (folds == folds.max(axis=0)) | (folds < 0)
    return OutOfFoldScores(
        values=values,
        folds=folds.max(axis=0),
        groups=tuple(groups.get(i, f"\0{i}") for i in range(len(images))) if groups else None,
        names=tuple(runs[0][0].name for runs in members.values()),
        losses=np.array([_loss(runs) for runs in members.values()]),
        files=tuple(file for _, file in images),
        paired=bool(own.all()),
        missing=tuple(missing),
    )


def _configuration(record: Record) -> str:
    apart = {*OUTPUT_FIELDS, *REPEAT_PARAMETERS}
    values = {name: value for name, value in record.config.items() if name not in apart}
    return json.dumps(values, sort_keys=True)


def _loss(runs: Sequence[tuple[Record, Any]]) -> float:
    return float(np.mean([record.val.get("loss", np.nan) for record, _ in runs]))


def _read(
    path: Path, record: Record, images: dict[tuple[str, str], int], groups: dict[int, str]
) -> _RunScores:
    """Read one file; images and groups that were not seen before are added to both tables."""
    task: Task = record.task
    known: dict[tuple[str, str], float] = {}
    rows: list[tuple[int, int, int, float]] = []
    with open(path, encoding="utf-8", newline="") as file:
        lines = (list(map(from_cell, row)) for row in csv.reader(file))
        place = {name: i for i, name in enumerate(next(lines))}
        columns = ("file", "group", "repeat", "fold", "label", "predicted")
        name, group, repeat, fold, label, predicted = (place[column] for column in columns)
        for row in lines:
            number = images.setdefault((record.data.fingerprint, row[name]), len(images))
            if row[group]:
                groups[number] = row[group]
            pair = row[label], row[predicted]
            if pair not in known:
                known[pair] = task.score_prediction(*pair)
            rows.append((int(row[repeat]), int(row[fold]), number, known[pair]))
    if not rows:
        raise ValueError(f"{path} has no rows")
    numbers = np.array([row[:3] for row in rows], dtype=int)
    repeats, folds, files = numbers.T
    return _RunScores(repeats, folds, files, np.array([row[3] for row in rows]))
