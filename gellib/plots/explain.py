"""Explanations: maps of the regions that decided a prediction, over the images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gellib.base.text import JOIN
from gellib.plots.base import INK, Chart, headline, message, note, short_name

_COLUMNS = 4
_OPAQUE = 0.6


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

    Mistakes come first, in red frames. Regions without weight are dark.
    """
    if not items:
        return message("There are no test images.", "What the network looked at")
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
    if "attention" in method:
        text = "Right of each image: bright regions had attention, dark regions had none."
    else:
        text = "Right of each image: bright regions speak for the predicted class."
        if not all(item.map.any() for item in items):
            text += " A map that is dark everywhere: no region speaks for the predicted class."
    note(fig, text)
    return fig


def _pair(left: Axes, right: Axes, item: MapShown) -> None:
    grey = item.view.mean(axis=0) if len(item.view) == 1 else np.moveaxis(item.view, 0, -1)
    height, width = item.view.shape[1:]
    left.imshow(grey, cmap="gray", vmin=0, vmax=255)
    right.imshow(grey, cmap="gray", vmin=0, vmax=255)
    right.imshow(
        item.map,
        cmap="inferno",
        alpha=_OPAQUE,
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        interpolation="bilinear",
        vmin=0,
        vmax=1,
    )
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
