"""Accuracy and times by the levels of one factor of a sweep."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gellib.plots.base import (
    BLUE,
    INK,
    MARKERS,
    SERIES,
    Chart,
    message,
    note,
    percent,
    share_axis,
    three_digits,
    tidy,
    title,
)
from gellib.plots.sweep.names import FACTORS, TIMES, absent, finished, said
from gellib.runs import task_of


def accuracy_by(table: pd.DataFrame, factor: str) -> Figure:
    """Every run's test score as a dot, and the mean as a line, by one factor of the sweep.

    Where images have several labels it is the F1 per image.
    """
    task = task_of(table)
    score, word = task.headline, task.headline_words
    by = FACTORS.get(factor, factor.replace("_", " "))
    heading = f"{said(table, 'adjective').capitalize()} {word} by {by}"
    done = finished(table, score)
    if done.empty:
        return message(f"No run has finished. {absent(table)}", heading)
    levels = list(dict.fromkeys(table[factor]))
    fig = Chart(figsize=(2.2 + 1.55 * max(len(levels), 2), 4.1))
    axes = fig.subplots()
    names = []
    for place, level in enumerate(levels):
        values = done.loc[done[factor] == level, score].to_numpy(dtype=float)
        runs = "1 run" if len(values) == 1 else f"{len(values)} runs"
        names.append(f"{_wrap(level)}\n{runs if len(values) else 'no finished run'}")
        if len(values):
            _dots(axes, place, values, BLUE, "o")
            _mean(axes, place, float(values.mean()), percent(float(values.mean())))
    axes.set_xticks(range(len(levels)), names)
    axes.set_xlim(-0.6, len(levels) - 0.25)
    axes.set_ylabel(f"{word} on the {said(table, 'images')}")
    share_axis(axes.yaxis, done[score].to_numpy(dtype=float))
    tidy(axes, "y")
    axes.tick_params(axis="x", length=0)
    title(axes, heading)
    note(fig, "One dot per run; lines are means. The axis starts where the values do.")
    return fig


def time_by_architecture(table: pd.DataFrame, column: str) -> Figure:
    """Training or inference time of every run, and means, by architecture.

    `column` is `training_time_mins` or `inference_time_secs`.
    """
    heading, seconds = TIMES[column]
    heading = heading.format(images=said(table, "images"))
    done = finished(table, column)
    if done.empty:
        return message(f"No run has finished. {absent(table)}", f"{heading} by architecture")
    spans = done[column].to_numpy(dtype=float) * seconds
    unit, divisor = ("minutes", 60.0) if spans.max() >= 120 else ("seconds", 1.0)
    done = done.assign(span=spans / divisor)
    levels = list(dict.fromkeys(done["pretrained_model"]))
    devices = list(dict.fromkeys(done["hardware_type"]))
    fig = Chart(figsize=(2.2 + 1.7 * max(len(levels), 2), 4.1))
    axes = fig.subplots()
    shift = 0.5 / len(devices)
    for number, device in enumerate(devices):
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        axes.plot([], [], marker, color=colour, label=device)
        for place, level in enumerate(levels):
            here = (done["pretrained_model"] == level) & (done["hardware_type"] == device)
            values = done.loc[here, "span"].to_numpy(dtype=float)
            if len(values):
                x = place + (number - (len(devices) - 1) / 2) * shift
                _dots(axes, x, values, colour, marker, reach=shift / 4)
                mean = float(values.mean())
                _mean(axes, x, mean, three_digits(mean), reach=shift / 2.6)
    positive = spans[spans > 0]
    # Beyond this ratio the short times could not be distinguished on a linear scale.
    if len(positive) and positive.max() / positive.min() > 50:
        axes.set_yscale("log")
        unit += " (logarithmic scale)"
        axes.yaxis.set_major_formatter(lambda v, _: f"{v:g}")
        tidy(axes, "y")
    else:
        axes.set_ylim(bottom=0)
        axes.margins(y=0.1)
        tidy(axes, "y")
    axes.set_xticks(range(len(levels)), levels)
    axes.set_xlim(-0.5, len(levels) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(unit)
    if len(devices) > 1:
        axes.legend(frameon=False, loc="best")
    title(axes, f"{heading} by architecture")
    only = "" if len(devices) > 1 else f" All on the {devices[0]}."
    features = ""
    if (
        column == "training_time_mins"
        and (done.get("features_s", pd.Series(dtype=float)) > 0).any()
    ):
        features = " Each with the features of the images, which runs of one network share."
    note(fig, f"One dot per run; lines are means.{only}{features}")
    return fig


def _wrap(level: object) -> str:
    text = f"{level:g}" if isinstance(level, float) else str(level)
    return "\n".join(textwrap.wrap(text, 18)[:4]) or "none"


def _dots(
    axes: Axes, place: float, values: np.ndarray, colour: str, marker: str, reach: float = 0.18
) -> None:
    # Equal values side by side, so that every run is visible.
    offsets = np.zeros(len(values))
    keys = np.round(values, 6)
    for key in np.unique(keys):
        same = np.flatnonzero(keys == key)
        step = min(0.09, 2 * reach / max(len(same) - 1, 1))
        offsets[same] = (np.arange(len(same)) - (len(same) - 1) / 2) * step
    axes.plot(
        place + offsets,
        values,
        marker,
        color=colour,
        markersize=7,
        alpha=0.85,
        markeredgecolor="white",
        markeredgewidth=0.7,
        clip_on=False,
        zorder=3,
    )


def _mean(axes: Axes, place: float, value: float, text: str, reach: float = 0.26) -> None:
    axes.plot([place - reach, place + reach], [value, value], color=INK, linewidth=2, zorder=1.5)
    axes.text(place + reach + 0.02, value, text, va="center", fontsize=9, fontweight="bold")
