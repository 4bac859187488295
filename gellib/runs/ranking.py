"""Which run is best: one answer for the summary, `gellib predict`, the form and Python.

Validation images choose, never test images, whose score would then be too good to be true. A
configuration is ranked by the mean over its seeds and folds, so that one lucky seed does not win;
a run is ranked by its configuration first and by its own validation score next.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gellib.config import OUTPUT_FIELDS, REPEAT_PARAMETERS

if TYPE_CHECKING:
    import pandas as pd

    from gellib.runs.run_folder import RunFolder
    from gellib.runs.record import Record

# Equal means are to be equal in whatever order they were summed.
RANKED_DIGITS = 12


@dataclass(frozen=True)
class Candidate:
    """What is known of one finished run before the test images are looked at.

    `configuration` is equal for the repeats of one configuration; `score` is better when higher,
    `loss` when lower, NaN is worst; `place` decides between equals.
    """

    configuration: Hashable
    score: float
    loss: float
    place: tuple[Any, ...]


def rank_candidates(candidates: Sequence[Candidate]) -> list[int]:
    """Return the positions of the candidates, best first."""
    members: dict[Hashable, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        members[candidate.configuration].append(candidate)
    of_configuration = {
        key: (
            _key(_mean([c.score for c in runs]), _mean([c.loss for c in runs])),
            min(c.place for c in runs),
        )
        for key, runs in members.items()
    }

    def key(position: int) -> tuple[Any, ...]:
        candidate = candidates[position]
        own = _key(candidate.score, candidate.loss)
        return (*of_configuration[candidate.configuration], own, candidate.place)

    return sorted(range(len(candidates)), key=key)


def score_column(table: pd.DataFrame) -> str:
    """Name the validation column that ranks runs: that of the headline metric of their task."""
    from gellib.runs.table import task_of

    return f"val_{task_of(table).headline}"


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Return the finished rows of a table of runs or of configurations, best first."""
    done = table[table["status"] == "done"]
    columns = [done[name] for name in ("model_id", score_column(table), "val_loss")]
    repeats = [done[name].fillna(0) for name in REPEAT_PARAMETERS]
    rows = zip(*columns, *repeats, strict=True)
    candidates = [
        Candidate(model, float(score), float(loss), (model, *repeat))
        for model, score, loss, *repeat in rows
    ]
    return done.iloc[rank_candidates(candidates)]


def best_run(table: pd.DataFrame) -> str:
    """Name the folder of the best run of a sweep's table; empty where none has finished."""
    done = in_order(table)
    return "" if done.empty else str(done["folder"].iloc[0])


def rank_runs(runs: Sequence[tuple[RunFolder, Record]]) -> list[RunFolder]:
    """Rank finished runs, each with its record, of one sweep or of several; best first.

    Runs of one folder whose parameters differ in seed or fold alone are one configuration.
    """
    candidates = [_candidate(folder, record) for folder, record in runs]
    return [runs[position][0] for position in rank_candidates(candidates)]


def _candidate(folder: RunFolder, record: Record) -> Candidate:
    apart = {*OUTPUT_FIELDS, *REPEAT_PARAMETERS}
    config = {name: value for name, value in record.config.items() if name not in apart}
    validation = record.val
    score = validation.get(record.task.headline, math.nan)
    return Candidate(
        (folder.path.parent.as_posix(), json.dumps(config, sort_keys=True)),
        float(score),
        float(validation.get("loss", math.nan)),
        (folder.path.name, folder.path.as_posix()),
    )


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _key(score: float, loss: float) -> tuple[float, float]:
    """Sort by the highest score, then by the lowest loss; what is not known comes last."""
    worst = math.inf
    return (
        worst if math.isnan(score) else -round(score, RANKED_DIGITS),
        worst if math.isnan(loss) else round(loss, RANKED_DIGITS),
    )
