"""The table of the listed runs of a sweep: what each changed, and what that did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from gellib.base.text import shorten
from gellib.evaluation.registry import Metric
from gellib.report.comparison import Comparison
from gellib.report.comparison.variants import Variant
from gellib.report.summary.cells import COMPACT, change_cell

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict


def variants_table(comparison: Comparison, losses: pd.DataFrame) -> Styler | None:
    """Show what each listed run changed, and what that did to each metric.

    `losses` has `test_loss` by `model_id`. None for a sweep that lists no runs.
    """
    models = comparison.models.set_index("model_id")
    variants = [variant for variant in comparison.variants if variant.model_id in models.index]
    if not variants:
        return None
    by_name = {variant.name: variant.model_id for variant in variants}
    built = [effect for effect in comparison.effects if effect.factor == "experiment"]
    verdicts = {effect.a: effect.verdict for effect in built}
    metrics = [metric for metric in comparison.task.metrics() if _known(models, metric.name)]
    rows = []
    for variant in variants:
        parent = by_name.get(variant.like) if variant.like else None
        row: dict[str, object] = {
            "model": variant.model_id,
            "experiment": variant.name + (f"\nlike {variant.like}" if variant.like else ""),
            "what changed": _changes(variant),
            # Before the metrics, of which a narrow page cuts off the last.
            "verdict": verdicts.get(variant.name)
            or ("–" if variant.like is None else "not compared"),
        }
        for metric in metrics:
            value = models[metric.name].loc[variant.model_id]
            before = models[metric.name].loc[parent] if parent is not None else np.nan
            row[metric.heading] = _step(value, before, metric)
        loss = losses["test_loss"]
        now, before = loss.get(variant.model_id, np.nan), loss.get(parent, np.nan)
        row["loss"] = "–" if np.isnan(now) else f"{now:.2f}{change_cell(now - before, 1, 2)}"
        rows.append(row)
    style = pd.DataFrame(rows).style.hide(axis="index").set_uuid("experiments")
    style = style.set_table_styles(COMPACT)
    # Styles of columns, because `COMPACT` takes precedence over properties of single cells.
    own = {"what changed": "; text-align: left; min-width: 13em", "verdict": "; min-width: 7em"}
    wraps: dict[str, list[CSSDict]] = {
        name: [{"selector": "td", "props": f"white-space: pre-line{own.get(name, '')}"}]
        for name in style.columns
    }
    style = style.set_table_styles(wraps, overwrite=False)
    return style.set_caption(
        "Metrics on the test images; in brackets the change against the experiment that it is "
        "like, in percentage points where the metric is in percent."
    )


def _changes(variant: Variant) -> str:
    lines = [f"{name}: {_short(a)} → {_short(b)}" for name, (a, b) in variant.changed.items()]
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
