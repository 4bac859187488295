"""Records to one table: one row per run, the reference's columns first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock

from gellib.config import FACTS
from gellib.base.files import write_csv
from gellib.base.spreadsheet import from_cell
from gellib.evaluation.registry import metric_names
from gellib.evaluation.task import MULTILABEL, SINGLE_LABEL, Task, task_of_labels
from gellib.runs.record import SCHEMA, Record

# The reference's columns, in its order; `results.csv` begins with them.
REFERENCE_COLUMNS = (
    "model_id",
    "hardware_type",
    "pretrained_model",
    "classifier_head",
    "opt_alg",
    "training_time_mins",
    "inference_time_secs",
    "accuracy",
    "precision",
    "recall",
    "conf_mat",
    "roc_auc",
)
PERCENT_COLUMNS = ("accuracy", "precision", "recall", "roc_auc")
# The columns of parameters that do not have their own name, by that.
_COLUMNS = {name: facts.column for name, facts in FACTS.items() if facts.column != name}
# Its row names the columns of a table without runs.
_EMPTY = Record(version=SCHEMA, status="failed", config={})


def record_row(record: Record) -> dict[str, Any]:
    """Flatten a record to one row of the results table: numbers, NaN where there is none.

    Times are in the units that the reference's column names say; metrics are on the test
    images, without any out of fold, and lie in 0..1.
    """
    nan = float("nan")
    config, timings, total = record.config, record.timings, record.parameters.total
    test, val = (record.scores, record.val) if record.done else ({}, {})
    row = {
        **{name: config.get(name) for name in REFERENCE_COLUMNS[:5]},
        # What the run costs by itself: its features too, also where another run had made them.
        "training_time_mins": (timings.features_s + timings.training_s) / 60,
        "inference_time_secs": timings.inference_s,
        "accuracy": test.get("accuracy", nan),
        "precision": test.get("precision", nan),
        "recall": test.get("recall", nan),
        "conf_mat": test.get("confusion_matrix"),
        "roc_auc": nan if test.get("roc_auc") is None else test["roc_auc"],
        "name": record.name,
        "status": record.status,
        "reason": record.reason,
        "seed": config.get("seed"),
        "fold": config.get("fold", 0),
        "f1": test.get("f1", nan),
        "n_test": test.get("n", nan),
        "val_accuracy": val.get("accuracy", nan),
        "val_loss": val.get("loss", nan),
        "n_val": val.get("n", nan),
        "evaluation": record.evaluation.method,
        "weights": record.weights.name,
        "weights_warning": record.weights.warning,
        "features_s": timings.features_s,
        "total_s": timings.total_s,
        "images_per_s": timings.images_per_s,
        "parameters": nan if total is None else total,
        "config_hash": record.config_hash,
        "folder": record.name,
    }
    # Behind them the metrics that have no column there.
    more = (metric.name for metric in SINGLE_LABEL.metrics() if metric.name not in row)
    return row | {name: _number(test.get(name)) for name in more}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def tabulate(records: Sequence[Record]) -> pd.DataFrame:
    """Make one row per record: `record_row`, then what else the records vary or score.

    A column for each parameter that differs between them, and for each metric of images with
    several labels where a record is of such. What varies is in `table.attrs["factors"]`.
    """
    table = pd.DataFrame([record_row(r) for r in records], columns=list(record_row(_EMPTY)))
    factors = varied([record.config for record in records])
    parameters = {column: name for name, column in _COLUMNS.items()}
    for name in factors:
        if name not in table:
            parameter = parameters.get(name, name)
            table[name] = [record.config.get(parameter) for record in records]
    nan = float("nan")
    tests = [r.scores if r.done else {} for r in records]
    vals = [r.val if r.done else {} for r in records]
    if any(record.done and not record.task.exclusive for record in records):
        for metric in MULTILABEL.metrics():
            table[metric.name] = pd.Series([test.get(metric.name) for test in tests], dtype=float)
        score = MULTILABEL.headline
        table[f"val_{score}"] = pd.Series([val.get(score) for val in vals], dtype=float)
    for name in metric_names():
        bounds = [(test.get("intervals") or {}).get(name) or (nan, nan) for test in tests]
        if any(low == low for low, _ in bounds):
            table[f"{name}_low"], table[f"{name}_high"] = np.array(bounds, dtype=float).T
    table.attrs["factors"] = factors
    return table


def task_of(table: pd.DataFrame) -> Task:
    """Return the task of the runs of a table, by its columns."""
    return task_of_labels(MULTILABEL.headline in table)


def varied(configs: Sequence[dict[str, Any]]) -> list[str]:
    """Columns of the parameters that differ between configurations, in the order of the config.

    They are named as the parameters are, but for `arithmetic`, the parameter `precision`. Seed and
    fold make repeats of a configuration, and where files go changes nothing: neither is among
    them. A parameter that some records do not have yet is not compared.
    """
    names = dict.fromkeys(name for config in configs for name in config)
    found = []
    for name in names:
        if name in FACTS and not FACTS[name].factor:
            continue
        values = [config[name] for config in configs if name in config]
        if len(values) == len(configs) and any(value != values[0] for value in values):
            found.append(_COLUMNS.get(name, name))
    return found


def format_results(table: pd.DataFrame) -> pd.DataFrame:
    """Write the metrics as the reference did: `81.82%`, `[[7, 4], [0, 11]]`; empty if missing."""
    table = table.copy()
    for name in PERCENT_COLUMNS:
        table[name] = [f"{value:.2%}" if pd.notna(value) else "" for value in table[name]]
    table["conf_mat"] = [str(m) if isinstance(m, list) else "" for m in table["conf_mat"]]
    table["n_test"] = table["n_test"].astype("Int64")
    table["n_val"] = table["n_val"].astype("Int64")
    return table


def append_result(path: Path, row: dict[str, Any]) -> None:
    """Add one run's row to a results file, replacing an earlier row of the same run.

    Several runs may write to one file: a lock beside it keeps them apart.

    Raises
    ------
    ValueError
        When the file is no results file.
    """
    new = format_results(pd.DataFrame([row]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if path.exists():
            old = pd.read_csv(path, dtype=str, keep_default_na=False)
            old = old.rename(columns=from_cell).apply(lambda column: column.map(from_cell))
            if list(old.columns[: len(REFERENCE_COLUMNS)]) != list(REFERENCE_COLUMNS):
                raise ValueError(
                    f"{path} is not a results file: it begins with the columns "
                    f"{', '.join(old.columns[:3])}; expected {', '.join(REFERENCE_COLUMNS[:3])}"
                )
            if "name" in old and "config_hash" in old:
                same = (old["name"] == row["name"]) & (old["config_hash"] == row["config_hash"])
                old = old[~same]
            new = pd.concat([old, new.astype(object).where(new.notna(), "")])
        write_csv(path, new)
