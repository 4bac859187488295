"""Scores by class, losses and confusion matrices, by model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from gellib.plots.base import (
    BLUE,
    INK,
    ORANGE,
    Chart,
    headline,
    message,
    note,
    percent,
    short_name,
    tidy,
)
from gellib.plots.sweep.names import most, said

_MOST_CLASSES = 20
_MOST_SIDE_BY_SIDE = 6  # with more classes the panels are stacked, to stay readable


def class_scores(
    labels: Sequence[str], values: dict[str, np.ndarray], classes: Sequence[str], split: str
) -> Figure:
    """Models by classes, one panel per metric.

    Parameters
    ----------
    labels
        Names of the models.
    values
        By metric (`precision`, `recall`, `f1`), its values (models, classes), 0..1.
    classes
        Names of the classes.
    split
        Which images the values are of, as the heading names them.
    """
    heading = f"Precision, recall and F1 by class, on the {split} images"
    if not labels:
        return message("No finished run.", heading)
    left = max(0, len(classes) - _MOST_CLASSES)
    classes = list(classes)[:_MOST_CLASSES]
    wide = max(2.4, 0.62 * len(classes) + 0.4)
    tall, number = 0.3 * len(labels), len(values)
    if len(classes) <= _MOST_SIDE_BY_SIDE:
        fig = Chart(figsize=(2.4 + wide * number, 2.2 + tall))
        panels = fig.subplots(1, number, sharey=True, squeeze=False)
    else:
        fig = Chart(figsize=(2.4 + wide, 2.2 + (tall + 0.3) * number))
        panels = fig.subplots(number, 1, sharex=True, squeeze=False)
    for axes, (metric, array) in zip(panels.flat, values.items(), strict=True):
        array = np.asarray(array, dtype=float)[:, : len(classes)]
        axes.imshow(array, aspect="auto", cmap="cividis", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(array):
            known = np.isfinite(value)
            axes.text(
                column, row, f"{100 * value:.0f}" if known else "–", ha="center", va="center",
                fontsize=8, color=INK if not known or value > 0.55 else "white",
            )  # fmt: skip
        axes.set_xticks(
            range(len(classes)), [short_name(name, 20) for name in classes], rotation=40, ha="right"
        )
        axes.set_yticks(range(len(labels)), labels, fontsize=8.5)
        axes.tick_params(length=0, labelsize=8.5)
        axes.spines[:].set_visible(False)
        axes.set_title({"f1": "F1"}.get(metric, metric), fontsize=10.5, loc="left")
    colours = ScalarMappable(Normalize(0, 1), "cividis")
    bar = fig.colorbar(
        colours, ax=panels, fraction=0.03, pad=0.01, format=lambda v, _: percent(v, 0)
    )
    bar.outline.set_visible(False)
    headline(fig, heading)
    note(fig, "In percent." + (f" {left} more classes are not shown." if left else ""))
    return fig


def losses(table: pd.DataFrame) -> Figure:
    """Loss on training and test images, by model."""
    other = said(table, "adjective")
    heading = f"Loss on the training and the {said(table, 'images')}, by model"
    rows = table[(table["status"] == "done") & table["test_loss"].notna()]
    if rows.empty:
        return message("No finished run has a loss.", heading)
    rows, left_out = most(rows)
    places = np.arange(len(rows))
    fig = Chart(figsize=(8.2, 1.4 + 0.34 * len(rows)))
    axes = fig.subplots()
    for column, name, colour, shift in (
        ("train_loss", "training", BLUE, -0.19),
        ("test_loss", other, ORANGE, 0.19),
    ):
        values = rows[column].to_numpy(dtype=float)
        axes.barh(places + shift, values, height=0.36, color=colour, label=name)
        for place, value in zip(places, values, strict=True):
            if np.isfinite(value):
                axes.text(value, place + shift, f" {value:.3g}", va="center", fontsize=7.5)
    axes.set_yticks(places, rows["name_shown"], fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.margins(x=0.1)
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("mean negative log-likelihood")
    fig.legend(loc="outside upper right", frameon=False, ncols=2)
    headline(fig, heading)
    text = f"Where the {other} loss is far above the training loss, a model overfits. {left_out}"
    note(fig, text.strip())
    return fig


def confusion_matrices(
    matrices: Sequence[Any],
    labels: Sequence[str],
    classes: Sequence[str],
    left_out: int = 0,
    *,
    images: str = "test images",
    summed: bool = True,
) -> Figure:
    """One small confusion matrix per model: counts, coloured by the share of the true class.

    Parameters
    ----------
    matrices
        Counts (C, C) of each model: rows are true classes, columns predicted ones.
    labels
        Names of the models.
    classes
        Names of the C classes.
    left_out
        Number of models that are not shown.
    images
        What was predicted.
    summed
        Whether the counts are sums over seeds.
    """
    heading = f"Confusion matrices on the {images}, by model"
    if not matrices:
        return message("No finished run.", heading)
    columns = min(3, len(matrices))
    lines = -(-len(matrices) // columns)
    side = max(2.3, 0.5 * len(classes) + 1.0)
    fig = Chart(figsize=(1.2 + side * columns, 1.1 + (side + 0.15) * lines))
    panels = fig.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[len(matrices) :]:
        axes.set_axis_off()
    for axes, matrix, label in zip(panels.flat, matrices, labels, strict=False):
        counts = np.asarray(matrix, dtype=float)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        if len(classes) <= 12:
            for (row, column), value in np.ndenumerate(counts):
                colour = "white" if share[row, column] > 0.55 else INK
                axes.text(
                    column, row, f"{value:.0f}", ha="center", va="center", fontsize=8.5,
                    color=colour,
                )  # fmt: skip
        shown = [short_name(name, 16) for name in classes]
        axes.set_xticks(range(len(classes)), shown, fontsize=8)
        if sum(map(len, shown)) > 8 * side:
            for name in axes.get_xticklabels():
                name.set(rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(classes)), shown, fontsize=8)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(short_name(label, 34), fontsize=9.5, loc="left")
    for axes in panels[-1]:
        axes.set_xlabel("predicted", fontsize=9)
    for axes in panels[:, 0]:
        axes.set_ylabel("true", fontsize=9)
    headline(fig, heading)
    text = "Colour: share of the true class."
    text += " Counts are sums over the seeds." if summed else ""
    if left_out:
        text += f" {left_out} more models are not shown: listed runs come first, then the best."
    note(fig, text)
    return fig
