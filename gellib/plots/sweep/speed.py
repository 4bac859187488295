"""Speed and size of models against their score, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from gellib.plots.base import (
    INK,
    MARKERS,
    SERIES,
    Chart,
    headline,
    message,
    note,
    percent,
    three_digits,
    tidy,
)
from gellib.plots.sweep.names import finished, said


def pareto(table: pd.DataFrame, score: str, word: str) -> Figure:
    """Score against training time, inference time and size, with the Pareto front of each.

    Parameters
    ----------
    table
        One row per model; times in the units of the columns' names.
    score
        Column of the score, 0..1.
    word
        What the score is called in the figure.
    """
    done = finished(table, score)
    heading = f"Speed and size against {said(table, 'adjective')} {word}"
    costs = {
        "training_time_mins": ("training, s", 60.0),
        "inference_time_secs": (f"inference of all {said(table, 'images')}, s", 1.0),
        "parameters": ("parameters, millions", 1e-6),
    }
    columns = [name for name in costs if name in done and done[name].notna().any()]
    if done.empty or not columns:
        return message("No run has finished, so there are no times.", heading)
    fig = Chart(figsize=(1.6 + 3.9 * len(columns), 4.4))
    panels = np.atleast_1d(fig.subplots(1, len(columns), sharey=True))
    levels = list(dict.fromkeys(done["pretrained_model"]))
    told_apart = len(levels) <= 2 * len(SERIES)  # more do not fit into a legend
    bottom = max(0.0, np.floor(done[score].min() * 10) / 10 - 0.05)
    panels[0].set_ylim(bottom, 1.0 + 0.1 * (1 - bottom))
    for axes, column in zip(panels, columns, strict=True):
        label, factor = costs[column]
        rows = done[done[column] > 0]
        cost, value = rows[column].to_numpy(dtype=float) * factor, rows[score].to_numpy(dtype=float)
        for number, level in enumerate(levels):
            own = (rows["pretrained_model"] == level).to_numpy()
            look = number if told_apart else 0
            marker = MARKERS[(look + look // len(SERIES)) % len(MARKERS)]
            axes.plot(
                cost[own], value[own], marker, markersize=7, alpha=0.85,
                color=SERIES[look % len(SERIES)], markeredgecolor="white", clip_on=False,
                label=level, zorder=3,
            )  # fmt: skip
        front = pareto_front(cost, value)
        axes.plot(cost[front], value[front], color=INK, linewidth=1, drawstyle="steps-post")
        if len(cost) and cost.max() / cost.min() > 20:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(lambda v, _: three_digits(v))
            axes.xaxis.set_minor_formatter(lambda v, _: "")
        else:
            axes.set_xlim(left=0)
            axes.margins(x=0.08)
        axes.set_xlabel(label)
        tidy(axes, "both")
        _number(axes, cost[front], value[front], rows["model_id"].iloc[front].astype(str).tolist())
    panels[0].yaxis.set_major_formatter(lambda v, _: percent(v, 0) if v <= 1.0001 else "")
    panels[0].set_ylabel(f"{said(table, 'adjective')} {word}")
    if told_apart:
        fig.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    headline(fig, heading)
    text = "Line and numbers: models that no other model beats in both cost and score."
    missing = "" if "parameters" in columns else " The records do not hold the sizes of the models."
    note(fig, text + missing)
    return fig


def _number(axes: Axes, x: np.ndarray, y: np.ndarray, ids: Sequence[str]) -> None:
    """Write the models' numbers at the points of a front, one text for points close together.

    The text goes above and to the left of a point, where a front has no other point, unless that
    is outside the axes.
    """
    places = axes.transAxes.inverted().transform(axes.transData.transform(np.column_stack([x, y])))
    texts: list[tuple[int, list[str]]] = []
    for i, name in enumerate(ids):
        if texts and np.all(np.abs(places[i] - places[texts[-1][0]]) < (0.09, 0.06)):
            texts[-1][1].append(name)
        else:
            texts.append((i, [name]))
    for i, names in texts:
        axes.annotate(
            ", ".join(names[:3]) + (", …" if len(names) > 3 else ""), (x[i], y[i]),
            (-5, 5) if places[i, 0] > 0.14 else (5, 5), textcoords="offset points", fontsize=8.5,
            ha="right" if places[i, 0] > 0.14 else "left", fontweight="bold",
        )  # fmt: skip


def pareto_front(cost: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the rows that no other beats in both (lower cost, higher value), cheapest first."""
    order = np.lexsort((-value, cost))
    front, best, at = [], -np.inf, np.nan
    for i in order:
        if value[i] > best + 1e-12 or (value[i] >= best - 1e-12 and cost[i] == at):
            front.append(i)
            best, at = max(best, value[i]), cost[i]
    return np.array(front, dtype=int)
