"""Demo predictions: test images with what was predicted for them and what is true."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageOps

from gellib.images import BadImageError, read_image
from gellib.plots.base import INK, Chart, headline, message, note, percent
from gellib.runs import JOIN

THUMBNAIL_PX = 150
MAX_LABELS_SHOWN = 3


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
    # A plain loop, not itertuples: columns are named p_<class>, and a class may be called anything.
    texts = [_texts(row) for _, row in shown.iterrows()]
    rows = -(-len(shown) // columns)
    # Each row of tiles is as high as its texts are long.
    heights = [1.85 + 0.15 * _most_lines(texts[i * columns :][:columns]) for i in range(rows)]
    fig = Chart(figsize=(1.75 * columns, sum(heights) + 0.5))
    grid = fig.subplots(rows, columns, squeeze=False, height_ratios=heights)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (_, row), words in zip(grid.flat, shown.iterrows(), texts, strict=False):
        _tile(axes, row, words, Path(root))
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


def _tile(axes: Axes, row: pd.Series, words: tuple[str, str], root: Path) -> None:
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
    said, truth = words
    axes.set_title(
        said,
        fontsize=9,
        color=INK if right else "#B00000",
        fontweight="normal" if right else "bold",
    )
    axes.set_xlabel(truth, fontsize=8, color="#444444", labelpad=3)


def _texts(row: pd.Series) -> tuple[str, str]:
    """What stands above a tile, a line a label, and what stands below it."""
    names = _labels(row, str(row["predicted"]))
    said = [f"{_short(name)}  {percent(float(row[f'p_{name}']), 0)}" for name in names]
    if len(said) > MAX_LABELS_SHOWN:
        said[MAX_LABELS_SHOWN - 1 :] = [f"and {len(said) - MAX_LABELS_SHOWN + 1} more"]
    mark = "" if str(row["label"]) == str(row["predicted"]) else "✗ "
    truth = [_short(name) for name in _labels(row, str(row["label"]))] or ["no label"]
    below = textwrap.fill(f"true: {', '.join(truth)}", 27, max_lines=MAX_LABELS_SHOWN)
    return mark + ("\n".join(said) or "no label"), below


def _most_lines(texts: Sequence[tuple[str, str]]) -> int:
    above, below = (max(text.count("\n") + 1 for text in side) for side in zip(*texts, strict=True))
    return above + below


def _labels(row: pd.Series, text: str) -> list[str]:
    """Split joined labels; a class of one label may have any name, `a|b` too."""
    return [text] if f"p_{text}" in row.index else [name for name in text.split(JOIN) if name]


def _short(name: object, length: int = 18) -> str:
    text = str(name)
    text = text if len(text) <= length else text[: length - 1] + "…"
    return text.replace("$", r"\$")  # a name such as `5$ to 9$` is not a formula
