"""The table of the listed runs of a sweep: what each changed, and what that did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from gellib.base.text import shorten
from gellib.evaluation.registry import Metric
from gellib.report.comparison import Comparison
from gellib.report.comparison.listed_runs import LISTED, ListedRun
from gellib.report.summary.cells import COMPACT, change_cell, styled

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict


def listed_runs_table(comparison: Comparison, losses: pd.DataFrame) -> Styler | None:
    """Show what each listed run changed, and what that did to each metric.

    `losses` has `test_loss` by `model_id`. None for a sweep that lists no runs.
    """
    models = comparison.models.set_index("model_id")
    listed = [run for run in comparison.listed if run.model_id in models.index]
    if not listed:
        return None
    by_name = {run.name: run.model_id for run in listed}
    built = [effect for effect in comparison.effects if effect.factor == LISTED]
    verdicts = {effect.a: effect.verdict for effect in built}
    metrics = [metric for metric in comparison.task.metrics() if _known(models, metric.name)]
    rows = []
    for run in listed:
        parent = by_name.get(run.like) if run.like else None
        row: dict[str, object] = {
            "model": run.model_id,
            "listed run": run.name + (f"\nlike {run.like}" if run.like else ""),
            "what changed": _changes(run),
            # Before the metrics, of which a narrow page cuts off the last.
            "verdict": verdicts.get(run.name) or ("–" if run.like is None else "not compared"),
        }
        for metric in metrics:
            value = models[metric.name].loc[run.model_id]
            before = models[metric.name].loc[parent] if parent is not None else np.nan
            row[metric.heading] = _step(value, before, metric)
        loss = losses["test_loss"]
        now, before = loss.get(run.model_id, np.nan), loss.get(parent, np.nan)
        row["loss"] = "–" if np.isnan(now) else f"{now:.2f}{change_cell(now - before, 1, 2)}"
        rows.append(row)
    style = styled(pd.DataFrame(rows), "listed")
    style = style.set_table_styles(COMPACT)
    # Styles of columns, because `COMPACT` takes precedence over properties of single cells.
    own = {"what changed": "; text-align: left; min-width: 13em", "verdict": "; min-width: 7em"}
    wraps: dict[str, list[CSSDict]] = {
        name: [{"selector": "td", "props": f"white-space: pre-line{own.get(name, '')}"}]
        for name in style.columns
    }
    style = style.set_table_styles(wraps, overwrite=False)
    return style.set_caption(
        f"Metrics on the {comparison.images_scored}; in brackets the change against the listed "
        "run that it is like, in percentage points where the metric is in percent."
    )


def _changes(run: ListedRun) -> str:
    lines = [f"{name}: {_short(a)} → {_short(b)}" for name, (a, b) in run.changed.items()]
    return "\n".join(lines) or "–"


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return shorten(text, 40) or "empty"


def _known(table: pd.DataFrame, name: str) -> bool:
    return name in table and bool(table[name].notna().any())


def _step(value: float, before: float, metric: Metric) -> str:
    if pd.isna(value):
        return "–"
    factor, digits = (100, 1) if metric.share else (1, 2)
    return f"{metric.text(value)}{change_cell(value - before, factor, digits)}"
