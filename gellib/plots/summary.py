"""The figures of a sweep: metrics by model, accuracy by factor, times by architecture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gellib.plots.base import (
    BLUE,
    INK,
    MARKERS,
    ORANGE,
    PALE,
    SERIES,
    Chart,
    headline,
    message,
    note,
    percent,
    percent_axis,
    three_digits,
    tidy,
    title,
)

METRICS = {
    "accuracy": "Accuracy",
    "precision": "Precision (mean over the classes)",
    "recall": "Recall (mean over the classes)",
    "roc_auc": "Area under the ROC curve",
}
FACTORS = {
    "pretrained_model": "architecture",
    "hardware_type": "hardware",
    "classifier_head": "classifier head",
    "opt_alg": "optimiser",
}
TIMES = {
    "training_time_mins": ("Training time", 60.0),
    "inference_time_secs": ("Inference time (all test images)", 1.0),
}


def model_labels(table: pd.DataFrame) -> list[str]:
    """Name each row: its number and what varies, `16  gpu resnet18 multi sgd`."""
    columns = list(FACTORS)
    return [
        "  ".join((f"{row.model_id}", " ".join(str(getattr(row, c)) for c in _order(columns))))
        for row in table.itertuples()
    ]


def _order(columns: Sequence[str]) -> list[str]:
    first = ["hardware_type", "pretrained_model"]
    return first + [c for c in columns if c not in first]


def metric_bars(table: pd.DataFrame, metric: str) -> Figure:
    """One bar a finished run for `accuracy`, `precision`, `recall` or `roc_auc`; best in orange."""
    done = _done(table, metric)
    heading = METRICS[metric]
    if done.empty:
        return message(f"No run has a value. {_absent(table)}", heading)
    values = done[metric].to_numpy(dtype=float)
    best = values >= values.max() - 1e-12
    fig = Chart(figsize=(8.2, 1.25 + 0.265 * len(done)))
    axes = fig.subplots()
    places = np.arange(len(done))
    axes.barh(places, values, height=0.74, color=np.where(best, ORANGE, PALE))
    axes.set_yticks(places, model_labels(done), fontsize=8.5)
    axes.set_ylim(len(done) - 0.4, -0.6)
    for place, value, top in zip(places, values, best, strict=True):
        weight = "bold" if top else "normal"
        axes.text(value + 0.006, place, percent(value), va="center", fontsize=8, fontweight=weight)
    percent_axis(axes.xaxis, axes, "x", top=1.09)
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)
    headline(fig, f"{heading} on the test images, by model")
    count = int(best.sum())
    what = "Orange: the highest." if count == 1 else f"Orange: the {count} highest, all equal."
    note(fig, f"{what} {_absent(table, metric)}")
    return fig


def metrics_heatmap(table: pd.DataFrame) -> Figure:
    """Models by metrics, the value in each cell."""
    done = _done(table, "accuracy")
    if done.empty:
        return message(f"No run has finished. {_absent(table)}", "Models by metrics")
    values = done[list(METRICS)].to_numpy(dtype=float)
    fig = Chart(figsize=(7.6, 1.5 + 0.27 * len(done)))
    axes = fig.subplots()
    low = float(np.floor(np.nanmin(values) * 10) / 10)
    cmap = "cividis"
    image = axes.imshow(values, aspect="auto", cmap=cmap, vmin=min(low, 0.9), vmax=1.0)
    axes.set_xticks(range(len(METRICS)), ["accuracy", "precision", "recall", "ROC AUC"])
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(done)), model_labels(done), fontsize=8.5)
    middle = (min(low, 0.9) + 1.0) / 2
    for (row, column), value in np.ndenumerate(values):
        text = percent(value) if np.isfinite(value) else "–"
        colour = INK if value > middle else "white"
        colour = colour if np.isfinite(value) else INK
        top = np.isfinite(value) and value >= np.nanmax(values[:, column]) - 1e-12
        weight = "bold" if top else "normal"
        axes.text(
            column, row, text, ha="center", va="center", fontsize=8.5, color=colour, weight=weight
        )
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_yticks(np.arange(len(done) - 1) + 0.5, minor=True)
    axes.set_xticks(np.arange(len(METRICS) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    bar = fig.colorbar(image, ax=axes, fraction=0.04, pad=0.02, format=lambda v, _: percent(v, 0))
    bar.outline.set_visible(False)
    headline(fig, "Models by metrics, on the test images")
    note(fig, f"Bold: the highest of its column. {_absent(table)}")
    return fig


def accuracy_by(table: pd.DataFrame, factor: str) -> Figure:
    """Every run's test accuracy as a dot, and the mean as a line, by one factor of the sweep."""
    heading = f"Test accuracy by {FACTORS.get(factor, factor)}"
    done = _done(table, "accuracy")
    if done.empty:
        return message(f"No run has finished. {_absent(table)}", heading)
    levels = list(dict.fromkeys(table[factor]))
    fig = Chart(figsize=(2.2 + 1.55 * max(len(levels), 2), 4.1))
    axes = fig.subplots()
    names = []
    for place, level in enumerate(levels):
        values = done.loc[done[factor] == level, "accuracy"].to_numpy(dtype=float)
        runs = "1 run" if len(values) == 1 else f"{len(values)} runs"
        names.append(f"{level}\n{runs if len(values) else 'no finished run'}")
        if len(values):
            _dots(axes, place, values, BLUE, "o")
            _mean(axes, place, float(values.mean()), percent(float(values.mean())))
    axes.set_xticks(range(len(levels)), names)
    axes.set_xlim(-0.6, len(levels) - 0.25)
    axes.set_ylabel("accuracy on the test images")
    percent_axis(axes.yaxis, axes, "y", top=1.04)
    tidy(axes, "y")
    axes.tick_params(axis="x", length=0)
    title(axes, heading)
    note(fig, "A dot is a run, the line their mean.")
    return fig


def time_by_architecture(table: pd.DataFrame, column: str) -> Figure:
    """`training_time_mins` or `inference_time_secs` of every run, and means, by architecture."""
    heading, seconds = TIMES[column]
    done = _done(table, column)
    if done.empty:
        return message(f"No run has finished. {_absent(table)}", f"{heading} by architecture")
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
    # Beyond this ratio the short times would be one flat line of dots.
    if len(positive) and positive.max() / positive.min() > 50:
        axes.set_yscale("log")
        unit += " (each step ten times the last)"
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
    with_features = " Features of the images included." if column == "training_time_mins" else ""
    note(fig, f"A dot is a run, the line their mean.{only}{with_features}")
    return fig


def _dots(
    axes: Axes, place: float, values: np.ndarray, colour: str, marker: str, reach: float = 0.18
) -> None:
    # Equal values side by side, so that every run is seen.
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


def _done(table: pd.DataFrame, column: str) -> pd.DataFrame:
    return table[(table["status"] == "done") & table[column].notna()]


def _absent(table: pd.DataFrame, metric: str = "accuracy") -> str:
    """Say which runs a figure does not show, and why."""
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
