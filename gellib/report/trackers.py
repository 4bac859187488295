"""Export of finished runs to a tracker: MLflow, on its SQLite store, or TensorBoard."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gellib.base.paths import expand_user, find_path, in_shell
from gellib.runs import Record, RunFolder, SweepFolder

TRACKERS = ("mlflow", "tensorboard")
_INSTALL = "pip install 'gellib[track]'"


class ExportError(ValueError):
    """The runs cannot be exported; the message says what is missing."""


def export_sweep(sweep_dir: str | Path, to: str, out: str | Path | None = None) -> dict[str, Any]:
    """Export the finished runs of a sweep to a tracker; runs exported before are replaced.

    Parameters
    ----------
    sweep_dir
        Folder of a sweep.
    to
        `mlflow` or `tensorboard`.
    out
        Folder to write to, by default `mlflow` or `tensorboard` in the sweep's folder.

    Returns
    -------
    dict
        `runs` (number of exported runs), `out`, and `view`: the command that shows them.

    Raises
    ------
    ExportError
        When the tracker is unknown or not installed, or there is no finished run.
    """
    if to not in TRACKERS:
        raise ExportError(f"--to: got {to!r}, expected one of {', '.join(TRACKERS)}")
    sweep = SweepFolder(find_path(sweep_dir))
    records = [record for record in sweep.records() if record.done]
    if not records:
        raise ExportError(
            f"{sweep.path} has no finished run; expected the folder of a sweep. Run it first: "
            f"gellib sweep {in_shell(f'{Path(sweep_dir)}.yaml')}"
        )
    folder = expand_user(out).resolve() if out else sweep.path / to
    folder.mkdir(parents=True, exist_ok=True)
    send = _to_mlflow if to == "mlflow" else _to_tensorboard
    view = send(sweep, records, folder)
    return {"runs": len(records), "out": folder, "view": view}


def scalars(record: Record) -> dict[str, float]:
    """Flatten a record's numbers: `test/accuracy`, `test/accuracy_low`, `test/class/gel/recall`."""
    found: dict[str, float] = {}
    for split, values in record.metrics.items():
        for name, value in values.items():
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found[f"{split}/{name}"] = float(value)
        for name, bounds in (values.get("intervals") or {}).items():
            if bounds and None not in bounds:
                found[f"{split}/{name}_low"], found[f"{split}/{name}_high"] = map(float, bounds)
        for label, own in values.get("per_class", {}).items():
            for name, value in own.items():
                if isinstance(value, (int, float)):
                    found[f"{split}/class/{label}/{name}"] = float(value)
    times = record.timings.to_dict().items()
    found |= {f"time/{name}": float(v) for name, v in times if isinstance(v, (int, float))}
    return found


def _epochs(run: RunFolder) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the numbers of each epoch."""
    try:
        history = run.read_history()
    except (OSError, pd.errors.EmptyDataError):
        return
    numbers = history.select_dtypes("number").drop(columns="epoch", errors="ignore")
    for place, row in enumerate(numbers.itertuples(index=False), start=1):
        step = int(history["epoch"].iloc[place - 1]) if "epoch" in history else place
        values = dict(zip(numbers.columns, row, strict=True))
        yield step, {f"epoch/{name}": float(v) for name, v in values.items() if v == v}


def _facts(record: Record) -> dict[str, str]:
    """Return the provenance of a run: hashes, data, weights, machine."""
    facts = {
        "config_hash": record.config_hash,
        "data_fingerprint": record.data.fingerprint,
        "weights_used": record.weights.name,
        "weights_sha256": record.weights.sha256,
    }
    machine = {
        k: v for k, v in record.environment.to_dict().items() if isinstance(v, (str, int, float))
    }
    return {name: str(value) for name, value in (facts | machine).items()}


# -- MLflow -------------------------------------------------------------------------------------


def _to_mlflow(sweep: SweepFolder, records: list[Record], folder: Path) -> str:
    try:
        import alembic  # noqa: F401, what the SQLite store needs and MLflow's core leaves out
        import sqlalchemy  # noqa: F401
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param
    except ImportError as err:
        raise ExportError(f"MLflow is not installed ({err}): {_INSTALL}") from err
    store = f"sqlite:///{(folder / 'mlflow.db').as_posix()}"
    client = MlflowClient(tracking_uri=store)
    name = sweep.read_sweep().get("name") or sweep.path.name
    experiment = client.get_experiment_by_name(name)
    where = (folder / "artifacts").as_uri()
    number = (
        client.create_experiment(name, artifact_location=where)
        if experiment is None
        else experiment.experiment_id
    )
    there = client.search_runs([number], max_results=50_000)
    before: dict[str, list[str]] = {}
    for old in there:
        before.setdefault(old.info.run_name, []).append(old.info.run_id)
    for record in records:
        for run_id in before.get(record.name, []):
            client.delete_run(run_id)
        tags = {f"gellib.{key}": value for key, value in _facts(record).items()}
        run_id = client.create_run(number, run_name=record.name, tags=tags).info.run_id
        params = [Param(k, str(v)) for k, v in record.config.items()]
        run = RunFolder(sweep.path / record.name)
        now = int(time.time() * 1000)
        metrics = [Metric(_mlflow_name(k), v, now, 0) for k, v in scalars(record).items()]
        for step, values in _epochs(run):
            metrics += [Metric(_mlflow_name(k), v, now, step) for k, v in values.items()]
        client.log_batch(run_id, metrics=metrics, params=params)
        for path in (run.record, run.predictions):
            if path.is_file():
                client.log_artifact(run_id, str(path))
        if run.figures.is_dir():
            client.log_artifacts(run_id, str(run.figures), "figures")
        client.set_terminated(run_id, "FINISHED")
    return f"mlflow ui --backend-store-uri {store}"


def _mlflow_name(name: str) -> str:
    """Replace the characters that MLflow does not allow in a name."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)


# -- TensorBoard --------------------------------------------------------------------------------


def _to_tensorboard(sweep: SweepFolder, records: list[Record], folder: Path) -> str:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as err:
        raise ExportError(f"TensorBoard is not installed ({err}): {_INSTALL}") from err
    for record in records:
        own = folder / record.name
        if own.exists():
            # Events of an earlier export would be drawn as a second line.
            shutil.rmtree(own)
        with SummaryWriter(str(own)) as writer:
            last = 0
            for last, values in _epochs(RunFolder(sweep.path / record.name)):
                for name, value in values.items():
                    writer.add_scalar(name, value, last)
            # Into the same folder, or TensorBoard would show each run twice.
            writer.add_hparams(dict(record.config), scalars(record), run_name=".", global_step=last)
    return f"tensorboard --logdir {folder}"
