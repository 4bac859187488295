"""Metrics by model: bars with intervals, and a heat map of all metrics."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gellib.evaluation.registry import find_metric
from gellib.plots.base import (
    BLUE,
    INK,
    ORANGE,
    PALE,
    RED,
    Chart,
    headline,
    message,
    note,
    percent,
    percent_axis,
    tidy,
)
from gellib.plots.sweep.names import (
    absent,
    finished,
    metrics_of,
    model_labels,
    most,
    said,
)


def metric_bars(
    table: pd.DataFrame, metric: str, *, references: dict[str, float] | None = None
) -> Figure:
    """One bar per finished model for a metric, with its interval; the best in orange.

    Where all models are equally good, none is marked.

    Parameters
    ----------
    table
        One row per model. `<metric>_low` and `<metric>_high` are the interval; `<metric>_seeds`
        has the value of every seed, shown as dots.
    metric
        Name of the metric.
    references
        Scores of baselines by name, drawn as lines.
    """
    done = finished(table, metric)
    known = metrics_of(table).get(metric) or find_metric(metric)
    heading = known.title
    if done.empty:
        return message(f"No run has a value. {absent(table)}", heading)
    rest = absent(table, metric)
    done, left_out = most(done)
    values = done[metric].to_numpy(dtype=float)
    lower = not known.higher_is_better
    best = values <= values.min() + 1e-12 if lower else values >= values.max() - 1e-12
    equal = bool(best.all()) and len(best) > 1
    best = best & (not equal)
    fig = Chart(figsize=(8.2, 1.25 + 0.265 * len(done)))
    axes = fig.subplots()
    places = np.arange(len(done))
    axes.barh(places, values, height=0.74, color=np.where(best, ORANGE, PALE))
    axes.set_yticks(places, model_labels(done), fontsize=8.5)
    axes.set_ylim(len(done) - 0.4, -0.6)
    ends = _intervals(axes, done, metric, values)
    for place, value, end, top in zip(places, values, ends, best, strict=True):
        weight = "bold" if top and best.sum() == 1 else "normal"
        axes.text(
            max(end, 0) + 0.008, float(place), known.text(value), va="center", fontsize=8,
            fontweight=weight,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}, zorder=5,
        )  # fmt: skip
    if known.share:
        percent_axis(axes.xaxis, axes, "x", top=1.11)
    else:
        # Values below 0 are worse than chance; the axis starts there only where there are some.
        low = done.get(f"{metric}_low", done[metric]).fillna(done[metric]).min()
        axes.set_xlim(min(0.0, float(np.floor(low * 5) / 5)), 1.11)
        axes.axvline(0, color=INK, linewidth=0.8)
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)
    legend = _reference_lines(axes, references or {})
    headline(fig, f"{heading} on the {said(table, 'images')}, by model")
    count = int(best.sum())
    which = "lowest" if lower else "highest"
    what = f"Orange: the {which}." if count == 1 else f"Orange: the {count} {which}, all equal."
    what = "All are equal." if equal else what
    seeds = f"{metric}_seeds" in done and done[f"{metric}_seeds"].map(_length).max() > 1
    bars = (
        " Lines: 95 % intervals."
        if np.isfinite(ends - values).any() and (ends > values).any()
        else ""
    )
    dots = " Dots: the seeds." if seeds else ""
    note(fig, " ".join(filter(None, (f"{what}{bars}{dots}", legend, left_out, rest))))
    return fig


def _length(values: object) -> int:
    return len(values) if isinstance(values, list) else 0


def _intervals(axes: Axes, done: pd.DataFrame, metric: str, values: np.ndarray) -> np.ndarray:
    """Draw interval and seeds of each bar; return the right end of each, for the texts."""
    ends = values.copy()
    places = np.arange(len(done))
    if f"{metric}_low" in done:
        low, high = (done[f"{metric}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
        known = np.isfinite(low) & np.isfinite(high)
        axes.hlines(places[known], low[known], high[known], color=INK, linewidth=1.0, zorder=3)
        ends[known] = np.maximum(ends, high)[known]
    if f"{metric}_seeds" in done:
        for place, seeds in zip(places, done[f"{metric}_seeds"], strict=True):
            if _length(seeds) > 1:
                shift = np.linspace(-0.22, 0.22, len(seeds))
                axes.plot(
                    seeds, place + shift, "o", color=BLUE, markersize=3.4, alpha=0.85,
                    markeredgecolor="white", markeredgewidth=0.4, zorder=4,
                )  # fmt: skip
                ends[place] = max(ends[place], *seeds)
    return ends


def _reference_lines(axes: Axes, references: dict[str, float]) -> str:
    """Draw the baselines' scores as lines; return their legend for the note."""
    styles = ("--", ":", "-.")
    named = []
    for (name, value), style in zip(references.items(), styles, strict=False):
        axes.axvline(value, color=RED, linestyle=style, linewidth=1.3, zorder=2.5)
        kind = {"--": "dashed", ":": "dotted", "-.": "dash-dotted"}[style]
        named.append(f"{name} {percent(value)} ({kind})")
    return f"Red: {', '.join(named)}." if named else ""


def metrics_heatmap(table: pd.DataFrame) -> Figure:
    """Models by metrics, the value in each cell."""
    done = finished(table, "accuracy")
    if done.empty:
        return message(f"No run has finished. {absent(table)}", "Models by metrics")
    done, left_out = most(done)
    of_table = metrics_of(table)
    # One colour scale fits shares alone, where higher is better.
    metrics = [
        name for name, metric in of_table.items() if metric.higher_is_better and metric.share
    ]
    values = done[metrics].to_numpy(dtype=float)
    fig = Chart(figsize=(7.6, 1.5 + 0.27 * len(done)))
    axes = fig.subplots()
    low = float(np.floor(np.nanmin(values) * 10) / 10)
    cmap = "cividis"
    image = axes.imshow(values, aspect="auto", cmap=cmap, vmin=min(low, 0.9), vmax=1.0)
    axes.set_xticks(range(len(metrics)), [of_table[name].heading for name in metrics])
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(done)), model_labels(done), fontsize=8.5)
    middle = (min(low, 0.9) + 1.0) / 2
    highest = np.nan_to_num(values, nan=-np.inf) >= np.nanmax(values, axis=0) - 1e-12
    best = highest & (highest.sum(axis=0) == 1)
    for (row, column), value in np.ndenumerate(values):
        text = of_table[metrics[column]].text(value) if np.isfinite(value) else "–"
        colour = INK if value > middle else "white"
        colour = colour if np.isfinite(value) else INK
        weight = "bold" if best[row, column] else "normal"
        axes.text(
            column, row, text, ha="center", va="center", fontsize=8.5, color=colour, weight=weight
        )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_yticks(np.arange(len(done) - 1) + 0.5, minor=True)
    axes.set_xticks(np.arange(len(metrics) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    bar = fig.colorbar(image, ax=axes, fraction=0.04, pad=0.02, format=lambda v, _: percent(v, 0))
    bar.outline.set_visible(False)
    headline(fig, f"Models by metrics, on the {said(table, 'images')}")
    parts = ("Bold: the highest of its column, if it is alone.", left_out, absent(table))
    note(fig, " ".join(filter(None, parts)))
    return fig
