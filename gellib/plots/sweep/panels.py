"""The main metrics of all models side by side, one panel each."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gellib.evaluation.registry import Metric
from gellib.plots.base import (
    BLUE,
    INK,
    ORANGE,
    Chart,
    headline,
    message,
    note,
    share_axis,
    tidy,
    title,
)
from gellib.plots.sweep.names import absent, finished, metrics_of, model_labels, most, said
from gellib.runs import task_of

_MOST_PANELS = 4  # the first of the table's metrics


def metric_panels(table: pd.DataFrame, *, chosen: int | None = None) -> Figure:
    """One dot per model and metric with its interval, on an axis from where the values are.

    Parameters
    ----------
    table
        One row per model. `<metric>_low` and `<metric>_high` are the interval.
    chosen
        Number of the model that was chosen; its dot is larger, and orange.
    """
    heading = f"The metrics on the {said(table, 'images')}, by model"
    headline_metric = task_of(table).headline
    done = finished(table, headline_metric)
    if done.empty:
        return message(f"No run has finished. {absent(table)}", heading)
    rest = absent(table, headline_metric)
    done, left_out = most(done)
    known = metrics_of(table)
    names = list(known)[:_MOST_PANELS]
    lines = -(-len(names) // 2)
    fig = Chart(figsize=(10.4, 0.7 + lines * (1.0 + 0.25 * len(done))))
    panels = fig.subplots(lines, min(2, len(names)), sharey=True, squeeze=False)
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    is_chosen = (done["model_id"] == chosen).to_numpy()
    for axes, name in zip(panels.flat, names, strict=False):
        _panel(axes, done, known[name], is_chosen)
    labels = model_labels(done)
    for axes in panels[:, 0]:
        axes.set_yticks(np.arange(len(done)), labels, fontsize=8.5)
    panels[0, 0].set_ylim(len(done) - 0.4, -0.6)
    headline(fig, heading)
    lines_are = "Lines: 95 % intervals." if f"{names[0]}_low" in done else ""
    which = "Larger dot: the chosen model." if is_chosen.any() and len(done) > 1 else ""
    starts = "Each axis starts where its values do."
    note(fig, " ".join(filter(None, (which, lines_are, starts, left_out, rest))))
    return fig


def _panel(axes: Axes, done: pd.DataFrame, metric: Metric, is_chosen: np.ndarray) -> None:
    values = done[metric.name].to_numpy(dtype=float)
    places = np.arange(len(done))
    colours = np.where(is_chosen, ORANGE, BLUE)
    drawn = [values]
    if f"{metric.name}_low" in done:
        low, high = (done[f"{metric.name}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
        known = np.isfinite(low) & np.isfinite(high)
        axes.hlines(places[known], low[known], high[known], color=colours[known], linewidth=2)
        drawn += [low, high]
    sizes = np.where(is_chosen, 80, 34)
    axes.scatter(values, places, c=colours, s=sizes, zorder=3, clip_on=False)
    best = np.nanmax(values) if metric.higher_is_better else np.nanmin(values)
    alone = np.nansum(values == best) == 1 and len(values) > 1
    for place, value in zip(places, values, strict=True):
        text = metric.text(value) if np.isfinite(value) else "–"
        axes.text(
            1.015, float(place), text, transform=axes.get_yaxis_transform(), fontsize=8.5,
            va="center", color=INK, fontweight="bold" if alone and value == best else "normal",
        )  # fmt: skip
    share_axis(axes.xaxis, np.concatenate(drawn), share=metric.share)
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)
    title(axes, metric.title)
