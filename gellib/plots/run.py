"""The figures of one run: confusion matrix, ROC curve, demo predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from sklearn import metrics as sk

from gellib.images import BadImageError, read_image
from gellib.plots.base import (
    GREY,
    INK,
    MARKERS,
    SERIES,
    Chart,
    headline,
    message,
    note,
    percent,
    percent_axis,
    tidy,
    title,
)
from gellib.plots.data import shorten
from gellib.runs import JOIN

THUMBNAIL_PX = 150
MAX_TEXT_CLASSES = 12
MAX_LEGEND_INSIDE = 5
MAX_LABELS_SHOWN = 3


def confusion_matrix(
    cm: Sequence[Sequence[int]], classes: Sequence[str], *, title: str = ""
) -> Figure:
    """Counts and, of each true class, shares; one row a true class, one column a predicted one."""
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
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if n > 4 else {}
    axes.set_xticks(range(n), classes, **slant)
    axes.set_yticks(range(n), classes)
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
    if n > MAX_TEXT_CLASSES:
        if count:
            axes.text(column, row, f"{count:.0f}", ha="center", va="center", color=colour, size=7)
        return
    big, small = (18, 10) if n <= 3 else (11, 7.5)
    axes.text(column, row - 0.08, f"{count:.0f}", ha="center", va="center", color=colour, size=big)
    axes.text(
        column, row + 0.24, percent(share, 0), ha="center", va="center", color=colour, size=small
    )


def roc_curve(
    y_true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], positive: str = ""
) -> Figure:
    """ROC curve with its area; of several classes each against the rest, and their mean area.

    `y_true` holds indices into `classes` (n,) or, of several labels an image, 0 and 1 (n, C);
    `probabilities` is (n, C). Of two classes the curve is that of `positive`, or of the last one
    if that is empty.
    """
    y_true, probabilities = np.asarray(y_true), np.asarray(probabilities, dtype=float)
    binary = len(classes) == 2 and y_true.ndim == 1
    wanted = [positive or classes[-1]] if binary else list(classes)
    curves = {}
    for name in wanted:
        index = list(classes).index(name)
        truth = y_true == index if y_true.ndim == 1 else y_true[:, index] == 1
        if truth.any() and not truth.all():
            fpr, tpr, _ = sk.roc_curve(truth, probabilities[:, index])
            curves[name] = (fpr, tpr, sk.auc(fpr, tpr))
    if not curves:
        return message(
            "No ROC curve: it needs images of at least two classes, and these are all of one.",
            "ROC curve",
        )
    many = len(curves) > MAX_LEGEND_INSIDE
    fig = Chart(figsize=(8.2, max(4.9, 1 + 0.17 * len(curves))) if many else (5.2, 4.9))
    axes = fig.subplots()
    axes.plot([0, 1], [0, 1], linestyle=":", color=GREY, linewidth=1.2)
    axes.text(0.56, 0.51, "guessing", color="#666666", fontsize=8.5, rotation=45)
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
            label=f"{shorten(name, 28)}: area {area:.3f}",
        )
    axes.set_aspect("equal")
    percent_axis(axes.xaxis, axes, "x")
    percent_axis(axes.yaxis, axes, "y")
    tidy(axes, "both")
    mean = float(np.mean([area for *_, area in curves.values()]))
    if binary:
        (name,) = curves
        other = next(c for c in classes if c != name)
        axes.set_xlabel(f"share of “{other}” taken for “{name}”")
        axes.set_ylabel(f"share of “{name}” found")
        title(axes, f"ROC curve, positive class “{name}”: area {mean:.3f}")
    else:
        axes.set_xlabel("share of the other classes taken for it")
        axes.set_ylabel("share of the class found")
        title(axes, f"ROC curves, one class against the rest:\nmean area {mean:.3f}")
        if many:
            fig.legend(frameon=False, fontsize=8, loc="outside right upper")
        else:
            axes.legend(frameon=False, fontsize=8, loc="lower right")
    return fig


def demo_predictions(
    predictions: pd.DataFrame, root: str | Path, *, columns: int = 6, limit: int = 36
) -> Figure:
    """Test images in a grid: predicted class, its probability, true class; mistakes framed in red.

    Where an image has several labels, all must be right, or it is a mistake.

    `predictions` is a run's `predictions.csv`, `root` the folder its file names start from. Of more
    than `limit` images all mistakes that fit are shown, and the others are spread over the rest.
    """
    test = predictions
    if "split" in test.columns:
        test = test[test["split"] == "test"]
    if test.empty:
        return message("There are no test images.", "Demo predictions")
    wrong = test["label"].astype(str) != test["predicted"].astype(str)
    test = test.reset_index(drop=True)
    wrong = wrong.reset_index(drop=True)
    shown = _choose(test, wrong.to_numpy(), limit)
    rows = -(-len(shown) // columns)
    fig = Chart(figsize=(1.75 * columns, 2.15 * rows + 0.5))
    grid = fig.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    # A plain loop, not itertuples: columns are named p_<class>, and a class may be called anything.
    for axes, (_, row) in zip(grid.flat, shown.iterrows(), strict=False):
        _tile(axes, row, Path(root))
    n, bad = len(test), int(wrong.sum())
    heading = f"{n - bad} of {n} test images predicted right"
    heading += "; mistakes (✗) framed in red" if bad else ", no mistake"
    headline(fig, heading)
    if len(shown) < n:
        kept = int(wrong.loc[shown.index].sum())
        note(
            fig,
            f"Shown: {kept} of the {bad} mistakes, {len(shown) - kept} of the {n - bad} others.",
        )
    return fig


def _choose(test: pd.DataFrame, wrong: np.ndarray, limit: int) -> pd.DataFrame:
    if len(test) > limit:
        mistakes = np.flatnonzero(wrong)[:limit]
        right = np.flatnonzero(~wrong)
        room = limit - len(mistakes)
        picked = (
            right[np.linspace(0, len(right) - 1, room).round().astype(int)] if room else right[:0]
        )
        test = test.loc[sorted({*mistakes, *picked})]
    return test.sort_values(["label", "file"], kind="stable")


def _tile(axes: Axes, row: pd.Series, root: Path) -> None:
    right = str(row["label"]) == str(row["predicted"])
    axes.set_axis_on()
    axes.set_xticks([])
    axes.set_yticks([])
    try:
        picture = Image.fromarray(read_image(root / str(row["file"]), color="rgb"))
        # Shrunk before it is drawn (the notebook stays small), on a square, so that rows line up.
        square = ImageOps.pad(picture, (THUMBNAIL_PX, THUMBNAIL_PX), color="#F1F1F1")
        axes.imshow(np.asarray(square), interpolation="nearest")
    except (BadImageError, OSError):
        axes.text(0.5, 0.5, "the file is\nnot there", ha="center", va="center", fontsize=8)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_aspect("equal")
    for spine in axes.spines.values():
        spine.set_color("#B8B8B8" if right else "#D00000")
        spine.set_linewidth(1.0 if right else 4.0)
    names = _labels(row, str(row["predicted"]))
    lines = [f"{_short(name)}  {percent(float(row[f'p_{name}']), 0)}" for name in names]
    text = _lines(lines)
    if not right:
        text = f"✗ {text}"
    axes.set_title(
        text,
        fontsize=9,
        color=INK if right else "#B00000",
        fontweight="normal" if right else "bold",
    )
    truth = _lines([_short(name) for name in _labels(row, str(row["label"]))])
    axes.set_xlabel(f"true: {truth}", fontsize=8, color="#444444", labelpad=3)


def _labels(row: pd.Series, text: str) -> list[str]:
    """Split joined labels; a class of one label may have any name, `a|b` too."""
    return [text] if f"p_{text}" in row.index else [name for name in text.split(JOIN) if name]


def _lines(names: Sequence[str]) -> str:
    shown = list(names[:MAX_LABELS_SHOWN])
    if len(names) > MAX_LABELS_SHOWN:
        shown[-1:] = [f"and {len(names) - MAX_LABELS_SHOWN + 1} more"]
    return "\n".join(shown) or "no label"


def _short(name: object, length: int = 18) -> str:
    text = str(name)
    text = text if len(text) <= length else text[: length - 1] + "…"
    return text.replace("$", r"\$")  # a name such as `5$ to 9$` is not a formula
