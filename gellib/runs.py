"""The folders that runs and sweeps write: `RunFolder`, `SweepFolder` and their one table.

These two classes are the only place that knows the file names. Every file is written to a
temporary name and renamed, so a reader never sees half of one and a kill loses nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gellib.config import RunConfig

SCHEMA = 1
STATUSES = ("done", "failed", "skipped")

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


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it to `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all; NaN and infinity are refused, they are not JSON."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table whole or not at all; numbers keep every digit."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


class RunFolder:
    """The folder of one run: `config.json`, the executed notebook, results, `record.json` last."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.path / "train.ipynb"

    @property
    def config(self) -> Path:
        """The resolved configuration, every default included."""
        return self.path / "config.json"

    @property
    def history(self) -> Path:
        """A row an epoch."""
        return self.path / "history.csv"

    @property
    def predictions(self) -> Path:
        """A row an image: file, split, label, predicted, a probability a class."""
        return self.path / "predictions.csv"

    @property
    def model(self) -> Path:
        """The trained model."""
        return self.path / "model.safetensors"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.path / "figures"

    @property
    def result(self) -> Path:
        """One line of results, in the columns of a sweep's `results.csv`."""
        return self.path / "results.csv"

    @property
    def record(self) -> Path:
        """What was run, on what, and what came out; written last."""
        return self.path / "record.json"

    @property
    def log(self) -> Path:
        """What the run's kernel printed outside its notebook."""
        return self.path / "log.txt"

    def read_record(self) -> dict[str, Any] | None:
        """Return the record, or None where there is none (or a damaged one)."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and record.get("schema") == SCHEMA else None

    def read_history(self) -> pd.DataFrame:
        """Return the table of epochs."""
        return pd.read_csv(self.history)

    def read_predictions(self) -> pd.DataFrame:
        """Return the table of predictions; class names stay text, `001` is not 1."""
        names = {"file": str, "split": str, "label": str, "predicted": str}
        return pd.read_csv(self.predictions, dtype=names, keep_default_na=False)

    def is_done(self, config: RunConfig, fingerprint: str = "") -> bool:
        """Whether this very configuration has finished here, on this very data."""
        record = self.read_record()
        if record is None or record["status"] != "done":
            return False
        same_data = not fingerprint or record["data"]["fingerprint"] == fingerprint
        return same_data and record["config_hash"] == config.hash()

    def clear(self) -> None:
        """Remove everything, the record first, so that no half of an old run looks finished."""
        self.record.unlink(missing_ok=True)
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)

    def write_outcome(
        self, config: RunConfig, status: str, reason: str, *, error: dict[str, Any] | None = None
    ) -> None:
        """Put a run that did not finish on record, with the reason."""
        record = {
            "schema": SCHEMA,
            "status": status,
            "reason": reason,
            "name": self.path.name,
            "config": config.model_dump(),
            "config_hash": config.hash(),
        }
        if error is not None:
            record["error"] = error
        write_json(self.record, record)


class SweepFolder:
    """The folder of one sweep: a folder a run, `results.csv`, `summary.ipynb`, `sweep.json`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"SweepFolder({str(self.path)!r})"

    @property
    def summary(self) -> Path:
        """The executed summary notebook."""
        return self.path / "summary.ipynb"

    @property
    def results(self) -> Path:
        """The table of all runs."""
        return self.path / "results.csv"

    @property
    def sweep(self) -> Path:
        """Name, purpose and the names of the runs that belong to the sweep as it is now."""
        return self.path / "sweep.json"

    @property
    def figures(self) -> Path:
        """Folder of the summary's figures."""
        return self.path / "figures"

    def read_sweep(self) -> dict[str, Any]:
        """Return name, purpose and run names; empty where nothing was written yet."""
        try:
            return json.loads(self.sweep.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def run_folders(self) -> list[RunFolder]:
        """Return the folders of the sweep's runs, in its order.

        Folders that an earlier version of the sweep left behind are not its runs.
        """
        names = self.read_sweep().get("runs")
        if names is None:
            names = sorted(p.parent.name for p in self.path.glob("*/record.json"))
        return [RunFolder(self.path / name) for name in names]

    def records(self) -> list[dict[str, Any]]:
        """Return the records there are, in the sweep's order."""
        records = (folder.read_record() for folder in self.run_folders())
        return [record for record in records if record is not None]

    def table(self) -> pd.DataFrame:
        """Return one row a record; see `record_row` for the columns."""
        rows = [record_row(record) for record in self.records()]
        return pd.DataFrame(rows, columns=list(record_row(None)))

    def best(self) -> RunFolder | None:
        """Return the run with the highest accuracy on the *validation* images.

        The lower validation loss decides between equals. The test images choose nothing, or
        their accuracy would be too good to be true.
        """
        table = self.table()
        done = table[table.status == "done"]
        if done.empty:
            return None
        order = done.sort_values(
            ["val_accuracy", "val_loss", "model_id"], ascending=[False, True, True]
        )
        return RunFolder(self.path / order.iloc[0]["folder"])

    def write_results(self) -> Path:
        """Write `results.csv` from the records."""
        write_csv(self.results, format_results(self.table()))
        return self.results


def record_row(record: dict[str, Any] | None) -> dict[str, Any]:
    """Flatten a record to one row of the results table: numbers, NaN where there is none.

    Times are in the units that the reference's column names say; metrics are on the test
    images and lie in 0..1. Without a record, the row's keys (with None) are returned.
    """
    nan = float("nan")
    record = record or {"config": {}, "status": None}
    config, done = record["config"], record["status"] == "done"
    test = record["metrics"]["test"] if done else {}
    val = record["metrics"]["val"] if done else {}
    timings = record["timings"] if done else {}
    weights = record.get("weights") or {}
    return {
        **{name: config.get(name) for name in REFERENCE_COLUMNS[:5]},
        "training_time_mins": timings["training_s"] / 60 if done else nan,
        "inference_time_secs": timings.get("inference_s", nan),
        "accuracy": test.get("accuracy", nan),
        "precision": test.get("precision", nan),
        "recall": test.get("recall", nan),
        "conf_mat": test.get("confusion_matrix"),
        "roc_auc": nan if test.get("roc_auc") is None else test["roc_auc"],
        "name": record.get("name"),
        "status": record["status"],
        "reason": record.get("reason", ""),
        "seed": config.get("seed"),
        "f1": test.get("f1", nan),
        "n_test": test.get("n", nan),
        "val_accuracy": val.get("accuracy", nan),
        "val_loss": val.get("loss", nan),
        "n_val": val.get("n", nan),
        "weights": weights.get("name", ""),
        "weights_warning": weights.get("warning", ""),
        "features_s": timings.get("features_s", nan),
        "total_s": timings.get("total_s", nan),
        "images_per_s": timings.get("images_per_s", nan),
        "config_hash": record.get("config_hash"),
        "folder": record.get("name"),
    }


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
    """
    from filelock import FileLock

    new = format_results(pd.DataFrame([row]))
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if path.exists():
            old = pd.read_csv(path, dtype=str, keep_default_na=False)
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
