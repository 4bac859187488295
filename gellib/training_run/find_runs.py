"""Which finished runs there are below a folder, and which of them is best."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gellib.base.paths import find_path, shown_path
from gellib.runs import Record, RecordError, RunFolder, SweepFolder, rank_runs

# Below runs/ lie sweeps, below these runs.
_DEPTH = 3


class PredictorError(ValueError):
    """A run cannot predict; the message says why and what to do."""


def model_file(run: RunFolder, record: Record) -> Path:
    """Where a run's model lies: in its folder, or where the parameter `model_path` put it."""
    given = record.config.get("model_path")
    return find_path(given) if given and not run.model.is_file() else run.model


def list_runs(runs_dir: str | Path) -> list[RunFolder]:
    """List the finished runs below a folder that still have their model, best first.

    The order is that of `gellib.runs.rank_runs`: by the mean validation score of the configuration,
    then by the run's own. The folder may be that of all sweeps, of one sweep or of one run.
    """
    found = []
    for run in _walk(find_path(runs_dir), _DEPTH):
        record = run.read_record()
        if record is None or not record.done:
            continue
        if model_file(run, record).is_file():
            found.append((run, record))
    return rank_runs(found)


def find_best_run(runs_dir: str | Path) -> RunFolder:
    """Find the best finished run below a folder: the first of `list_runs`.

    Raises
    ------
    PredictorError
        When no run below it has finished.
    """
    runs = list_runs(runs_dir)
    if not runs:
        raise PredictorError(no_runs(runs_dir))
    return runs[0]


def read_finished(run: RunFolder) -> Record:
    """Return the record of a finished run.

    Raises
    ------
    PredictorError
        When the run has not finished, or its record is damaged.
    """
    try:
        record = Record.read(run.record)
        state = "" if record.done else f"it has {record.status}"
    except RecordError as err:
        record = None
        state = str(err) if run.record.exists() else "there is no record of it"
    if record is None or state:
        raise PredictorError(
            f"{run.path} is not a finished run: {state}. Expected the folder of a run "
            "with a record, as runs/<sweep>/<run>; finish it with gellib sweep."
        )
    return record


def no_runs(runs_dir: str | Path) -> str:
    """Return the message that there is no model, and which command trains some."""
    return (
        f"No finished run with a model in {shown_path(find_path(runs_dir))}. "
        "Train some first: gellib sweep runs/gel.yaml"
    )


def _walk(folder: Path, depth: int) -> Iterator[RunFolder]:
    run, sweep = RunFolder(folder), SweepFolder(folder)
    if run.record.is_file():
        yield run
    elif sweep.sweep.is_file():
        # Not what an earlier version of the sweep left in its folder.
        yield from sweep.run_folders()
    elif depth and folder.is_dir():
        below = (p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
        for path in sorted(below):
            yield from _walk(path, depth - 1)
