"""Explanations: maps of the regions that decided a prediction, over the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from gellib.base.text import JOIN
from gellib.plots.base import INK, RED, Chart, headline, message, note, short_name

_COLUMNS = 4
_OPAQUE = 0.6  # of the strongest region
_LINE = "#FFE14D"


class MapShown(NamedTuple):
    """An image and its map.

    Attributes
    ----------
    view
        The image as the network saw it, uint8 (1 or 3, H, W).
    map
        The explanation (h, w), 0..1.
    predicted, label
        Predicted and true class; several labels are joined.
    right
        Whether the prediction is correct.
    """

    view: np.ndarray
    map: np.ndarray
    predicted: str
    label: str
    right: bool


def explanations(items: Sequence[MapShown], *, method: str) -> Figure:
    """Show each image beside its map of the regions that speak for the predicted class.

    Mistakes come first, in red frames. Under the map the image is brightened, so that a dark one
    is readable too; regions without weight have no colour.
    """
    if not items:
        return message("There are no test images.", "What the network looked at")
    if not any(item.map.any() for item in items):
        return message(
            f"In none of {len(items)} images does a region speak for the predicted class "
            f"({method}).",
            "What the network looked at",
        )
    rows = -(-len(items) // _COLUMNS)
    columns = min(len(items), _COLUMNS)
    fig = Chart(figsize=(max(3.3 * columns, 6.6), 2.25 * rows + 0.55))
    grid = fig.subplots(rows, 2 * columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for number, item in enumerate(items):
        row, column = divmod(number, columns)
        _pair(grid[row, 2 * column], grid[row, 2 * column + 1], item)
    wrong = sum(not item.right for item in items)
    headline(
        fig,
        f"What the network looked at: {wrong} wrong, {len(items) - wrong} right ({method})",
    )
    text = "Right of each image, brightened: coloured regions "
    text += "had attention" if "attention" in method else "speak for the predicted class"
    text += ", the more the stronger; inside the line at least half as much as the strongest."
    if "attention" not in method and not all(item.map.any() for item in items):
        text += " A map without colour: no region speaks for the predicted class."
    note(fig, text)
    return fig


def _pair(left: Axes, right: Axes, item: MapShown) -> None:
    grey = item.view.mean(axis=0) if len(item.view) == 1 else np.moveaxis(item.view, 0, -1)
    height, width = item.view.shape[1:]
    left.imshow(grey, cmap="gray", vmin=0, vmax=255)
    right.imshow(lay_over(item.map, item.view))
    if item.map.any():
        heat = _enlarged(item.map, (width, height))
        right.contour(heat, levels=[0.5], colors=[_LINE], linewidths=1.3)
    for axes in (left, right):
        axes.set_axis_on()
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_color("#B8B8B8" if item.right else "#D00000")
            spine.set_linewidth(1.0 if item.right else 3.0)
    text = item.predicted if item.right else f"✗ {item.predicted}"
    colour = INK if item.right else "#B00000"
    left.set_title(short_name(text, 20), fontsize=9, color=colour, loc="left")
    truth = short_name(item.label.replace(JOIN, ", "), 26)
    left.set_xlabel(f"true: {truth}", fontsize=8, color="#444444", loc="left")


def lay_over(heat: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Lay a map (h, w), 0..1, in red over a view (1 or 3, H, W) uint8: (H, W, 3) uint8.

    The view is grey and brightened, so that a dark one is readable; where the map is 0 it shows.
    """
    height, width = view.shape[1:]
    weight = _OPAQUE * _enlarged(heat, (width, height))[..., None]
    mixed = (1 - weight) * _brightened(view)[..., None] + weight * 255 * np.array(to_rgb(RED))
    return mixed.round().astype(np.uint8)


def _brightened(view: np.ndarray) -> np.ndarray:
    """Return a view (1 or 3, H, W) as grey (H, W) whose darkest 1 % are black, brightest 1 % white.

    The middle grey becomes at least a third of white.
    """
    grey = view.mean(axis=0)
    low, high = np.percentile(grey, (1, 99))
    shares = np.clip((grey - low) / max(high - low, 1), 0, 1)
    middle = float(np.clip(np.median(shares), 0.02, 0.98))
    return 255 * shares ** min(1.0, np.log(1 / 3) / np.log(middle))


def _enlarged(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a map (h, w) to `size`, width and height, without steps."""
    image = Image.fromarray(np.asarray(heat, dtype=np.float32))
    return np.clip(np.asarray(image.resize(size, Image.Resampling.BICUBIC)), 0, 1)
