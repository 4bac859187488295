"""The figures of one run: confusion matrix and ROC curve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn import metrics as sk

from gellib.evaluation import task_of_targets
from gellib.plots.base import (
    GREY,
    INK,
    MARKERS,
    SERIES,
    Chart,
    message,
    percent,
    percent_axis,
    short_name,
    tidy,
    title,
)

_MAX_TEXT_CLASSES = 12
MAX_LEGEND_INSIDE = 5


def confusion_matrix(
    cm: Sequence[Sequence[int]], classes: Sequence[str], *, title: str = ""
) -> Figure:
    """Show counts and shares of the true class; rows are true classes, columns predicted ones."""
    counts = np.asarray(cm, dtype=float)
    n = len(classes)
    of_class = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, of_class, out=np.zeros_like(counts), where=of_class > 0)
    side = min(3.6 + 0.55 * max(n - 2, 0), 11)
    fig = Chart(figsize=(side + 0.9, side))
    axes = fig.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row in range(n):
        for column in range(n):
            _cell(axes, row, column, counts[row, column], share[row, column], n)
    names = [short_name(name, 24) for name in classes]
    # Horizontal names have room for about 30 characters in all.
    crowded = n > 4 or n * max(map(len, names)) > 30
    axes.set_xticks(range(n), names)
    if crowded:
        for text in axes.get_xticklabels():
            text.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n), names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_xticks(np.arange(n - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(n - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title or "Confusion matrix", fontsize=11.5, fontweight="bold", color=INK)
    return fig


def _cell(axes: Axes, row: int, column: int, count: float, share: float, n: int) -> None:
    colour = "white" if share > 0.55 else INK
    if n > _MAX_TEXT_CLASSES:
        if count:
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, size=7)
        return
    big, small = (18, 10) if n <= 3 else (11, 7.5)
    axes.text(column, row - 0.08, f"{count:.0f}", ha="center", va="center", color=colour, size=big)
    axes.text(
        column, row + 0.24, percent(share, 0), ha="center", va="center", color=colour, size=small
    )


def roc_curve(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    positive: str = "",
    *,
    where: str = "",
) -> Figure:
    """ROC curve with its AUC; with more than two classes, each against the rest, and the mean AUC.

    Parameters
    ----------
    y_true
        Indices into `classes` (n,), or 0 and 1 for each label of multilabel images (n, C).
    probabilities
        Predicted probabilities (n, C), 0..1.
    classes
        Names of the C classes.
    positive
        Of two classes, the one whose curve is drawn; the last one if empty.
    where
        Which images these are, for the title.
    """
    y_true, probabilities = np.asarray(y_true), np.asarray(probabilities, dtype=float)
    task = task_of_targets(y_true)
    binary = len(classes) == 2 and task.exclusive
    members = task.memberships(y_true, len(classes))
    wanted = [positive or classes[-1]] if binary else list(classes)
    curves = {}
    for name in wanted:
        index = list(classes).index(name)
        truth = members[:, index]
        if truth.any() and not truth.all():
            fpr, tpr, _ = sk.roc_curve(truth, probabilities[:, index])
            curves[name] = (fpr, tpr, sk.auc(fpr, tpr))
    if not curves:
        return message(
            "No ROC curve: it needs images of at least two classes, and all have the same one.",
            "ROC curve",
        )
    many = len(curves) > MAX_LEGEND_INSIDE
    fig = Chart(figsize=(8.2, max(4.9, 1 + 0.17 * len(curves))) if many else (5.2, 4.9))
    axes = fig.subplots()
    axes.plot([0, 1], [0, 1], linestyle=":", color=GREY, linewidth=1.2)
    axes.text(0.56, 0.51, "chance", color="#666666", fontsize=8.5, rotation=45)
    for number, (name, (fpr, tpr, area)) in enumerate(curves.items()):
        axes.plot(
            fpr,
            tpr,
            color=SERIES[number % len(SERIES)],
            linestyle=("-", "--", "-.")[number // len(SERIES) % 3],
            marker=MARKERS[number % len(MARKERS)] if len(fpr) < 40 else "",
            markersize=3.5,
            linewidth=2,
            clip_on=False,
            label=f"{short_name(name, 28)}: AUC {area:.3f}",
        )
    axes.set_aspect("equal")
    percent_axis(axes.xaxis, axes, "x")
    percent_axis(axes.yaxis, axes, "y")
    tidy(axes, "both")
    below = f"\n{where[0].upper()}{where[1:]}" if where else ""
    mean = float(np.mean([area for *_, area in curves.values()]))
    if binary:
        (name,) = curves
        other = next(c for c in classes if c != name)
        axes.set_xlabel(f"false positive rate: share of “{other}” predicted as “{name}”")
        axes.set_ylabel(f"true positive rate: share of “{name}” found")
        title(axes, f"ROC curve, positive class “{name}”: AUC {mean:.3f}" + below)
    else:
        axes.set_xlabel("false positive rate: share of the other classes")
        axes.set_ylabel("true positive rate: share of the class")
        title(axes, f"ROC curves, one class against the rest:\nmean AUC {mean:.3f}" + below)
        if many:
            fig.legend(frameon=False, fontsize=8, loc="outside right upper")
        else:
            axes.legend(frameon=False, fontsize=8, loc="lower right")
    return fig
