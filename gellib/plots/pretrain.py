"""Figures of pretraining: simulated classes, learning curves, confusion of classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gellib.plots.base import BLUE, INK, ORANGE, Chart, headline, percent, percent_axis, tidy, title

_TILE_INCH = 0.8


def simulated_classes(images: dict[str, list[np.ndarray]], columns: int = 3) -> Figure:
    """Show samples of each class, `columns` classes per row."""
    per_class = max(map(len, images.values()))
    rows = -(-len(images) // columns)
    size = (columns * (per_class + 0.3) * _TILE_INCH, rows * (_TILE_INCH + 0.2) + 0.3)
    fig = Chart(figsize=size)
    grid = fig.subplots(rows, columns * per_class, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, (name, samples) in enumerate(images.items()):
        row, first = number // columns, number % columns * per_class
        for axes, image in zip(grid[row, first:], samples, strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        grid[row, first].set_title(name, loc="left", fontsize=8, pad=2, color=INK)
    headline(fig, f"{len(images)} simulated classes")
    return fig


def learning_curves(history: pd.DataFrame) -> Figure:
    """Show loss and accuracy by step, with a line where the views become larger."""
    fig = Chart(figsize=(9, 3))
    left, right = fig.subplots(1, 2)
    left.plot(history["step"], history["loss"], color=ORANGE)
    right.plot(history["step"], history["accuracy"], color=BLUE)
    percent_axis(right.yaxis, right, "y")
    left.set_ylim(bottom=0)
    larger = history[history["size_px"].diff() > 0]
    for axes, heading in ((left, "Loss"), (right, "Accuracy")):
        for step, size_px in zip(larger["step"], larger["size_px"], strict=True):
            axes.axvline(step, color=INK, linewidth=0.6, linestyle=":")
            where = axes.get_xaxis_transform()
            axes.text(step, 0.02, f" {size_px} px", fontsize=8, color=INK, transform=where)
        axes.set_xlabel("step")
        tidy(axes, "y")
        title(axes, f"{heading}, on augmented views")
    return fig


def class_confusion(counts: np.ndarray, classes: dict[str, bool], accuracy: float) -> Figure:
    """Show the confusion of classes as shares of the true class; lines separate the gels.

    Parameters
    ----------
    counts
        Number of images (C, C): rows are true classes, columns predicted ones.
    classes
        By name, whether a class is a gel; gels come first.
    accuracy
        Share of images with the right class, 0..1.
    """
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = list(classes)
    fig = Chart(figsize=(8.5, 8))
    axes = fig.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    n_gels = sum(classes.values())  # they come first
    for place in (axes.axhline, axes.axvline):
        place(n_gels - 0.5, color=ORANGE, linewidth=1)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    title(axes, f"{percent(accuracy)} of the held-out images correct; gels top left")
    return fig
