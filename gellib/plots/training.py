"""The figures of training: learning curves, curves by class, the learning rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gellib.plots.base import (
    BLUE,
    GREY,
    INK,
    MARKERS,
    ORANGE,
    SERIES,
    Chart,
    headline,
    message,
    percent,
    percent_axis,
    tidy,
    title,
)

_SPLIT_NAMES = {"train": "training", "val": "validation"}
_MANY_EPOCHS = 40  # with more epochs the markers would touch each other
_LEGEND_WIDTH = 125  # letters that fit into one line under the curves by class


def loss_accuracy(
    history: pd.DataFrame, best_epoch: int = 0, *, val_name: str = "validation"
) -> Figure:
    """Loss and accuracy by epoch, training and validation, side by side.

    `best_epoch` is the one whose parameters were kept; it is marked unless it is 0. `val_name` says
    what the validation scores are of.
    """
    fig = Chart(figsize=(9.5, 3.6))
    if history.empty:
        return message("No epoch was recorded.", "Loss and accuracy")
    if len(history) == 1:
        row = history.iloc[0]
        return message(
            "The head was computed at once, or in one epoch, so that there is no curve. Loss "
            f"{row['train_loss']:.3g} in training, {row['val_loss']:.3g} {_on(val_name)}; accuracy "
            f"{percent(row['train_accuracy'])} and {percent(row['val_accuracy'])}.",
            "Loss and accuracy",
        )
    left, right = fig.subplots(1, 2)
    for axes, what, heading in ((left, "loss", "Loss"), (right, "accuracy", "Accuracy")):
        for split, colour, marker in (("train", BLUE, "o"), ("val", ORANGE, "s")):
            axes.plot(
                history["epoch"],
                history[f"{split}_{what}"],
                color=colour,
                marker=marker if len(history) <= _MANY_EPOCHS else "",
                markersize=4,
                linewidth=1.8,
                label=val_name if split == "val" else _SPLIT_NAMES[split],
                clip_on=False,
            )
        title(axes, f"{heading} by epoch")
        axes.set_ylabel(heading.lower() if what == "accuracy" else "cross-entropy loss")
        _epochs(axes, best_epoch)
        axes.legend(frameon=False, loc="best")
    losses = history[["train_loss", "val_loss"]].to_numpy(dtype=float)
    left.set_ylim(0, 1.08 * float(np.nanmax(losses)) or 1)
    percent_axis(right.yaxis, right, "y", top=1.02)
    return fig


def class_curves(
    class_history: pd.DataFrame, best_epoch: int = 0, *, val_name: str = "validation"
) -> Figure:
    """Precision, recall and F1 of each class by epoch, on training and on validation images.

    `class_history` is a run's `history_classes.csv`. `best_epoch` is marked unless it is 0;
    `val_name` says what the validation scores are of.
    """
    if class_history.empty:
        return message("No epoch was recorded.", "Precision, recall and F1 by class")
    if class_history["epoch"].nunique() == 1:
        return message("There was one epoch, so that there is no curve.", "Each class by epoch")
    classes = list(dict.fromkeys(class_history["class"].astype(str)))
    columns = max(1, min(len(classes), _LEGEND_WIDTH // (max(map(len, classes)) + 6)))
    fig = Chart(figsize=(10.5, 5.4 + 0.2 * -(-len(classes) // columns)))
    grid = fig.subplots(2, 3, sharex=True, sharey=True)
    for row, split in zip(grid, _SPLIT_NAMES, strict=True):
        for axes, metric in zip(row, ("precision", "recall", "f1"), strict=True):
            shown = class_history[class_history["split"] == split]
            for number, name in enumerate(classes):
                one = shown[shown["class"].astype(str) == name]
                axes.plot(
                    one["epoch"],
                    one[metric],
                    color=SERIES[number % len(SERIES)],
                    linestyle=("-", "--", "-.")[number // len(SERIES) % 3],
                    marker=MARKERS[number % len(MARKERS)] if len(one) <= _MANY_EPOCHS else "",
                    markersize=3.5,
                    linewidth=1.6,
                    label=name,
                    clip_on=False,
                )
            percent_axis(axes.yaxis, axes, "y", top=1.02)
            heading = {"f1": "F1"}.get(metric, metric.capitalize())
            title(axes, f"{heading}, {val_name if split == 'val' else _SPLIT_NAMES[split]}")
            _epochs(axes, best_epoch, named=False)
            if split == "train":
                axes.set_xlabel("")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    fig.legend(
        handles[: len(classes)],
        labels[: len(classes)],
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
    )
    headline(fig, "Each class by epoch" + (f"; best epoch: {best_epoch}" if best_epoch else ""))
    return fig


def learning_rate(rates: pd.DataFrame) -> Figure:
    """Learning rate by step of the optimiser; `rates` is a run's `learning_rates.csv`."""
    if rates.empty:
        return message("No optimiser step was recorded.", "Learning rate")
    fig = Chart(figsize=(6.2, 3.2))
    axes = fig.subplots()
    axes.plot(rates["step"], rates["learning_rate"], color=BLUE, linewidth=1.8, clip_on=False)
    axes.set_ylim(0, 1.08 * float(rates["learning_rate"].max()) or 1)
    axes.set_xlim(0, int(rates["step"].max()) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    # Plain numbers: setting up matplotlib's reader of formulas takes half a second.
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.4g}")
    axes.set_xlabel(f"optimiser step, {int(rates['epoch'].max())} epochs")
    axes.set_ylabel("learning rate")
    title(axes, "Learning rate by step")
    tidy(axes, "y")
    return fig


def _on(val_name: str) -> str:
    return "on the validation images" if val_name == "validation" else val_name


def _epochs(axes: Axes, best_epoch: int, *, named: bool = True) -> None:
    """Label the x axis as epochs, and mark the best one."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes, "y")
    if best_epoch:
        label = f"best epoch: {best_epoch}" if named else None
        axes.axvline(best_epoch, color=GREY, linestyle=":", linewidth=1.4, label=label, zorder=0)
    axes.tick_params(colors=INK)
