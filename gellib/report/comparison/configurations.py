"""Runs combined into configurations: folds pooled, seeds averaged, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gellib.base.text import shorten
from gellib.config import FACTS, NAMED
from gellib.evaluation import (
    TASKS,
    ImageScores,
    evaluate,
    interval_over_seeds,
    shared_images,
    wilson,
)
from gellib.evaluation.registry import metric_names
from gellib.report.comparison.listed_runs import ListedRun
from gellib.runs import RunFolder

_TIMES = ("training_time_mins", "inference_time_secs", "features_s", "total_s", "images_per_s")
_SCORES = tuple(f"val_{task.headline}" for task in TASKS)
_OTHERS = (*_TIMES, *_SCORES, "val_loss", "n_val", "parameters")


def parameter_label(parameter: str) -> str:
    """Name a parameter (or its column) in words: `pretrained_model` is the architecture."""
    return FACTS[parameter].label if parameter in FACTS else parameter.replace("_", " ")


def model_names(
    table: pd.DataFrame, factors: Sequence[str], listed: Sequence[ListedRun]
) -> pd.Series:
    """Name each row by what varies, `gpu resnet18 multi sgd`, or as the sweep file lists it."""
    names = {run.model_id: run.name for run in listed}
    shown = [name for name in NAMED if name in factors] + [
        name for name in factors if name not in NAMED
    ]
    if not factors:
        shown = list(NAMED)
    columns = [[_value(name, value) for value in table[name]] for name in shown]
    plain = [" ".join(values) for values in zip(*columns, strict=True)] if columns else []
    plain = plain or [""] * len(table)
    named = [names.get(i, text) for i, text in zip(table["model_id"], plain, strict=True)]
    return pd.Series(named, index=table.index, dtype=object)


def _value(name: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return shorten(value, 32)
    text = f"{value:g}" if isinstance(value, float) else str(value)
    short = FACTS[name].short if name in FACTS else parameter_label(name)
    return f"{short} {text or 'none'}"


def pool_folds(
    table: pd.DataFrame, folder: Path, classes: Sequence[str], positive: str = ""
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Replace the folds of a configuration and seed by one row of their pooled test predictions.

    Rows without folds stay as they are.

    Parameters
    ----------
    table
        One row per run.
    folder
        Folder of the sweep, from which the predictions are read.
    classes
        Names of the classes.
    positive
        Name of the positive class of two; the last one if empty.

    Returns
    -------
    tuple
        The table, whose column `folds_done` counts the runs that a row combines; and the names of
        those runs, by the name of the row.
    """
    done = table[table["status"] == "done"]
    members = {name: [name] for name in done["name"]}
    if not len(done) or not (done["fold"].fillna(0) > 0).any():
        return table.assign(folds_done=1), members
    rows: list[dict[Any, Any]] = []
    members = {}
    for _, runs in table.groupby(["model_id", "seed"], sort=False, dropna=False):
        finished = runs[runs["status"] == "done"]
        if finished.empty:
            rows.append({**runs.iloc[0].to_dict(), "folds_done": 0})
            continue
        row: dict[Any, Any] = finished.iloc[0].to_dict()
        row |= {c: finished[c].mean() for c in (*metric_names(), *_OTHERS) if c in finished}
        row |= {"folds_done": len(finished), "n_test": finished["n_test"].sum()}
        # The interval of one fold does not hold for the pooled predictions.
        row |= {c: np.nan for c in map(str, finished) if c.endswith(("_low", "_high"))}
        row |= _pooled(finished, folder, classes, positive)
        members[row["name"]] = finished["name"].tolist()
        rows.append(row)
    pooled = pd.DataFrame(rows)
    pooled.attrs.update(table.attrs)
    return pooled, members


def _pooled(
    runs: pd.DataFrame, folder: Path, classes: Sequence[str], positive: str
) -> dict[str, Any]:
    """Score the test predictions of all folds together; empty where they cannot be read."""
    sums = [np.asarray(m) for m in runs["conf_mat"] if isinstance(m, list)]
    found: dict[str, Any] = {"conf_mat": np.sum(sums, axis=0).tolist()} if sums else {}
    try:
        folds = [RunFolder(folder / name).read_predictions() for name in runs["name"]]
        test = pd.concat([fold[fold["split"] == "test"] for fold in folds])
        truth = np.array([classes.index(label) for label in test["label"]])
        columns = test[[f"p_{name}" for name in classes]].to_numpy(dtype=float)
        values = evaluate(truth, columns, list(classes), positive=positive)
    except (OSError, ValueError, KeyError):
        return found
    found |= {name: values[name] for name in metric_names() if values.get(name) is not None}
    return found | {"conf_mat": values["confusion_matrix"], "n_test": values["n"]}


def configurations(
    table: pd.DataFrame, scores: ImageScores | None = None, ratio: float = 0.0
) -> pd.DataFrame:
    """Make one row per configuration from a table of its seeds, in the order of the sweep.

    Metrics are means over the seeds. `<metric>_low` and `<metric>_high` are the 95 % interval over
    the test images, of several seeds over images and seeds (`interval_over_seeds`).
    `<metric>_seeds` has the value of every seed, `runs` the names of the runs, `seeds` their
    number. A configuration is done when one of its seeds is.

    Parameters
    ----------
    table
        One row per configuration and seed.
    scores
        Scores of the rows on single test images, which say what images the seeds share; None: all
        of them, so that the interval is not too narrow.
    ratio
        Images tested per training image where each seed draws its own split, else 0.
    """
    if not table["model_id"].duplicated().any():
        out = table.copy()
        out["runs"] = [[name] for name in out["name"]]
        return out.assign(seeds=1)
    metrics = [name for name in metric_names() if name in table]
    done = table[table["status"] == "done"]
    groups = done.groupby("model_id", sort=False)
    first = table.sort_values("status", key=lambda s: s != "done", kind="stable")
    out = first.drop_duplicates("model_id").set_index("model_id")
    order = list(dict.fromkeys(table["model_id"]))
    means = groups[[c for c in (*metric_names(), *_OTHERS) if c in done]].mean()
    n = groups.size()
    for name in means:
        out[name] = means[name].reindex(out.index)
    shared = {model: _shared(list(rows["name"]), scores) for model, rows in groups}
    for name in metrics:
        low, high = f"{name}_low", f"{name}_high"
        if low in done:
            ends = {}
            for model, rows in groups:
                own = (rows[column].to_numpy(dtype=float) for column in (name, low, high))
                repeats, common = shared[model]
                ends[model] = interval_over_seeds(*own, repeats=repeats, common=common, ratio=ratio)
            floor = -1.0 if (done[low] < 0).any() else 0.0
            for column, end in ((low, 0), (high, 1)):
                limits = pd.Series({model: e[end] for model, e in ends.items()}, dtype=float)
                out[column] = limits.clip(floor, 1).reindex(out.index)
        out[f"{name}_seeds"] = groups[name].agg(list).reindex(out.index)
    out["runs"] = groups["name"].agg(list).reindex(out.index)
    out["seeds"] = n.reindex(out.index).fillna(0).astype(int)
    out["conf_mat"] = groups["conf_mat"].agg(_sum_matrices).reindex(out.index)
    out["n_test"] = groups["n_test"].mean().reindex(out.index)
    out = out.loc[order].reset_index()
    out.attrs.update(table.attrs)
    return out


def _shared(runs: list[str], scores: ImageScores | None) -> tuple[float, float]:
    """Return `shared_images` of the seeds of a configuration; all where that is not known."""
    if scores is None or not set(runs) <= set(scores.names):
        return 1.0, 1.0
    return shared_images(np.isfinite(scores.of(runs).values))


def _sum_matrices(matrices: pd.Series) -> Any:
    known = [np.asarray(m) for m in matrices if isinstance(m, list)]
    return np.sum(known, axis=0).tolist() if known else None


def add_wilson(table: pd.DataFrame) -> pd.DataFrame:
    """Add Wilson's interval of the accuracy to each run that has no interval of its own."""
    table = table.copy()
    low, high = wilson(
        table["accuracy"].to_numpy(dtype=float) * table["n_test"].to_numpy(dtype=float),
        table["n_test"].to_numpy(dtype=float),
    )
    for column, values in (("accuracy_low", low), ("accuracy_high", high)):
        own = table[column] if column in table else pd.Series(np.nan, index=table.index)
        table[column] = own.fillna(pd.Series(values, index=table.index))
    return table
