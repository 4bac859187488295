"""What the figures of a sweep share: names of models and metrics, which models are shown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from gellib.evaluation.registry import Metric
from gellib.plots.base import short_name
from gellib.runs import in_order, task_of

_ALWAYS = {"accuracy", "precision", "recall", "roc_auc"}
FACTORS = {
    "pretrained_model": "architecture",
    "hardware_type": "hardware",
    "classifier_head": "classifier head",
    "opt_alg": "optimiser",
}
TIMES = {
    "training_time_mins": ("Training time", 60.0),
    "inference_time_secs": ("Inference time (all {images})", 1.0),
}
_SAID = {"adjective": "test", "images": "test images", "choice": "validation"}
# A figure with more bars than this is not readable.
MOST_MODELS = 48


def said(table: pd.DataFrame, what: str) -> str:
    """Say what the scores of a table are of: its `adjective`, `images`, or `choice` of the best."""
    return str(table.attrs.get(what, _SAID[what]))


def metrics_of(table: pd.DataFrame) -> dict[str, Metric]:
    """Metrics that a table's runs are shown with, by name: of one label an image, or of several."""
    shown = (m for m in task_of(table).metrics() if m.shown and m.name in table)
    # Records of an older version have no value of a metric that was added since.
    return {m.name: m for m in shown if m.name in _ALWAYS or table[m.name].notna().any()}


def model_labels(table: pd.DataFrame) -> list[str]:
    """Name each row: its number and what varies, `16  gpu resnet18 multi sgd`."""
    if "label" in table:
        return [
            f"{i}  {short_name(text, 52)}"
            for i, text in zip(table["model_id"], table["label"], strict=True)
        ]
    columns = list(FACTORS)
    return [
        "  ".join((f"{row.model_id}", " ".join(str(getattr(row, c)) for c in _order(columns))))
        for row in table.itertuples()
    ]


def _order(columns: Sequence[str]) -> list[str]:
    first = ["hardware_type", "pretrained_model"]
    return first + [c for c in columns if c not in first]


def most(done: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Keep as many models as a figure holds, the best by validation; and say how many are left."""
    if len(done) <= MOST_MODELS:
        return done, ""
    kept = in_order(done).head(MOST_MODELS).sort_index()
    left = len(done) - MOST_MODELS
    return (
        kept,
        f"The {MOST_MODELS} best by {said(done, 'choice')}; {left} more finished are not shown.",
    )


def finished(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Keep the finished models that have a value."""
    return table[(table["status"] == "done") & table[column].notna()]


def absent(table: pd.DataFrame, metric: str = "accuracy") -> str:
    """Say which models a figure does not show, and why."""
    parts = []
    for status in ("skipped", "failed"):
        ids = table.loc[table["status"] == status, "model_id"].tolist()
        if ids:
            parts.append(f"{len(ids)} {status} ({_models(ids)})")
    undefined = (table["status"] == "done") & table[metric].isna()
    if undefined.any():
        ids = table.loc[undefined, "model_id"].tolist()
        parts.append(f"{len(ids)} undefined ({_models(ids)})")
    return f"Not shown: {', '.join(parts)}." if parts else ""


def _models(ids: Sequence[int]) -> str:
    return f"model{'s' if len(ids) > 1 else ''} {id_ranges(ids)}"


def id_ranges(numbers: Sequence[int]) -> str:
    """Write numbers short: `1-3, 7`."""
    numbers = sorted(int(n) for n in numbers)
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ", ".join(f"{g[0]}–{g[-1]}" if len(g) > 2 else ", ".join(map(str, g)) for g in groups)
