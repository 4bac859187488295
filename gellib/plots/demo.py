"""Demo predictions: test images with their predicted and their true class."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageOps

from gellib.base.text import labels_of
from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.plots.base import INK, Chart, headline, message, note, percent, short_name

_THUMBNAIL_PX = 150
TILE, GAP, LINE = 1.6, 0.2, 0.16  # inches
_MAX_LABELS_SHOWN = 3
LINE_CHARACTERS = 22  # as many as a tile is wide


def demo_predictions(
    predictions: pd.DataFrame,
    root: str | Path,
    *,
    columns: int = 6,
    limit: int = 36,
    where: str = "test images",
) -> Figure:
    """Show test images in a grid: predicted class, probability, true class; mistakes in red frames.

    A multilabel image counts as right when all of its labels are.

    Parameters
    ----------
    predictions
        One row per image, as a run's `predictions.csv`.
    root
        Folder that the file names start from.
    columns
        Images per row.
    limit
        Most images to show. Of more images, mistakes come first, but leave a third of the places
        to the others; both are spread over the test set.
    where
        Which images these are.
    """
    test = predictions
    if "split" in test.columns:
        # Without a test part, those that were predicted out of fold.
        split = test["split"]
        test = test[split == ("test" if (split == "test").any() else "cv")]
    if test.empty:
        return message("There are no test images.", "Demo predictions")
    wrong = test["label"].astype(str) != test["predicted"].astype(str)
    test = test.reset_index(drop=True)
    wrong = wrong.reset_index(drop=True)
    shown = _choose(test, wrong.to_numpy(), limit)
    # iterrows, not itertuples: columns are named p_<class>, and a class may have any name.
    texts = [_texts(row) for _, row in shown.iterrows()]
    # One panel in inches for all tiles: a panel per tile takes three times as long.
    bands = [texts[start : start + columns] for start in range(0, len(texts), columns)]
    above, below = zip(*(_most_lines(band) for band in bands), strict=True)
    heights = [TILE + GAP + LINE * (up + down) for up, down in zip(above, below, strict=True)]
    size = (TILE + GAP) * columns, sum(heights)
    fig = Chart(figsize=(size[0], size[1] + 0.5))
    axes = fig.subplots()
    for number, ((_, row), words) in enumerate(zip(shown.iterrows(), texts, strict=True)):
        band, column = divmod(number, columns)
        top = sum(heights[:band]) + LINE * above[band] + GAP / 3
        _tile(axes, (column * (TILE + GAP) + GAP / 2, top), row, words, Path(root))
    axes.set(xlim=(0, size[0]), ylim=(size[1], 0), aspect="equal")
    axes.set_axis_off()
    n, bad = len(test), int(wrong.sum())
    heading = f"{n - bad} of {n} {where} predicted correctly"
    heading += "; mistakes (✗) have a red frame" if bad else ", no mistake"
    headline(fig, heading)
    notes = []
    if len(shown) < n:
        kept = int(wrong.loc[shown.index].sum())
        rest = f"{len(shown) - kept} of the {n - bad}"
        mistakes = f"{kept} of the {bad} mistakes"
        if kept == bad:
            few = {1: "the only mistake", 2: "both mistakes"}
            mistakes = few.get(bad, f"all {bad} mistakes")
        shown_are = f"{mistakes}, {rest} others" if bad else f"{rest} images"
        notes.append(f"Shown: {shown_are}.")
    if "split" in test.columns and (test["split"] == "cv").any():
        # The accuracy out of fold is another number: the mean over the repeats.
        notes.append("Predicted by each image's mean probability out of fold.")
    if notes:
        note(fig, " ".join(notes))
    return fig


def _choose(test: pd.DataFrame, wrong: np.ndarray, limit: int) -> pd.DataFrame:
    test = test.sort_values(["label", "file"], kind="stable")
    if len(test) <= limit:
        return test
    mistakes, right = (np.flatnonzero(wrong[test.index] == value) for value in (True, False))
    few = min(len(mistakes), max(limit - len(right), limit - limit // 3))
    picked = [_spread(mistakes, few), _spread(right, limit - few)]
    return test.iloc[np.sort(np.concatenate(picked))]


def _spread(numbers: np.ndarray, count: int) -> np.ndarray:
    """Choose `count` numbers at even distances."""
    return numbers[np.linspace(0, len(numbers) - 1, count).round().astype(int)]


def _tile(
    axes: Axes, corner: tuple[float, float], row: pd.Series, words: tuple[str, str], root: Path
) -> None:
    """Draw one image with its texts and its frame; `corner` is its upper left, in inches."""
    right = str(row["label"]) == str(row["predicted"])
    (x, y), middle = corner, corner[0] + TILE / 2
    try:
        image = Image.fromarray(read_image(root / str(row["file"]), color="rgb"))
        # Shrunk first, which keeps the notebook small, and padded to a square, so that rows align.
        square = ImageOps.pad(image, (_THUMBNAIL_PX, _THUMBNAIL_PX), color="#F1F1F1")
        place = (x, x + TILE, y + TILE, y)
        axes.imshow(np.asarray(square), extent=place, interpolation="nearest")
    except (BadImageError, OSError):
        there = "the file is\nnot there"
        axes.text(middle, y + TILE / 2, there, ha="center", va="center", fontsize=8)
    frame = Rectangle(corner, TILE, TILE, facecolor="none", clip_on=False)
    frame.set(edgecolor="#B8B8B8" if right else "#D00000", linewidth=1.0 if right else 4.0)
    axes.add_patch(frame)
    said, truth = words
    axes.text(
        middle,
        y - 0.05,
        said,
        ha="center",
        va="bottom",
        fontsize=9,
        color=INK if right else "#B00000",
        fontweight="normal" if right else "bold",
    )
    axes.text(middle, y + TILE + 0.05, truth, ha="center", va="top", fontsize=8, color="#444444")


def _texts(row: pd.Series) -> tuple[str, str]:
    """Return the text above a tile, one line per label, and the text below it."""
    names = _labels(row, str(row["predicted"]))
    mark = "" if str(row["label"]) == str(row["predicted"]) else "✗ "
    said = [_with_percent(name, float(row[f"p_{name}"]), len(mark)) for name in names]
    if len(said) > _MAX_LABELS_SHOWN:
        said[_MAX_LABELS_SHOWN - 1 :] = [f"and {len(said) - _MAX_LABELS_SHOWN + 1} more"]
    truth = [short_name(name) for name in _labels(row, str(row["label"]))] or ["no label"]
    below = textwrap.fill(f"true: {', '.join(truth)}", 27, max_lines=_MAX_LABELS_SHOWN)
    return mark + ("\n".join(said) or "no label"), below


def _with_percent(name: str, share: float, mark: int) -> str:
    """Write name and probability, in two lines if they do not fit into one with the mark."""
    short, number = short_name(name), percent(share, 0)
    narrow = mark + len(short) + len(number) + 2 > LINE_CHARACTERS
    return f"{short}\n{number}" if narrow else f"{short}  {number}"


def _most_lines(texts: Sequence[tuple[str, str]]) -> tuple[int, int]:
    """Count the lines of the longest text above the tiles of a row, and below them."""
    above, below = (max(text.count("\n") + 1 for text in side) for side in zip(*texts, strict=True))
    return above, below


def _labels(row: pd.Series, text: str) -> list[str]:
    """Split joined labels; a single-label class may have any name, even `a|b`."""
    return [text] if f"p_{text}" in row.index else labels_of(text)
