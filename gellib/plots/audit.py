"""The figures of a check: duplicates side by side, clusters, shortcuts, outliers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Rectangle

from gellib.plots.base import BLUE, GREY, INK, RED, Chart, headline, literal, message, tidy, title
from gellib.plots.data import show_image

if TYPE_CHECKING:
    from gellib.audit.shortcuts import Shortcut

MOST_PAIRS = 24
MOST_CLUSTERS = 8
MOST_PLACES = 4
MOST_OF_CLUSTER = 8
_PAIRS_PER_ROW = 3


def duplicate_pairs(
    pairs: Sequence[tuple[str, str, float]], root: str | Path, *, labels: dict[str, str]
) -> Chart:
    """Show duplicates side by side, each pair with its distance; pairs of two classes in red.

    `labels` has the class of each file. At most 24 pairs are shown: pairs of two classes first,
    then the most distant.
    """
    heading = "Duplicates"
    if not pairs:
        return message("No image occurs twice.", heading)
    ordered = sorted(pairs, key=lambda pair: (labels[pair[0]] == labels[pair[1]], -pair[2]))
    shown = ordered[:MOST_PAIRS]
    across = min(_PAIRS_PER_ROW, len(shown))
    down = -(-len(shown) // across)
    fig = Chart(figsize=(3.3 * across, 0.5 + 1.85 * down))
    panels = fig.subfigures(down, across, squeeze=False, wspace=0.06)
    for panel, pair in zip(panels.flat, shown, strict=False):
        a, b, distance = pair
        same = labels[a] == labels[b]
        words = "exact" if distance == 0 else f"distance {distance:.2f}"
        words += f", {labels[a]}" if same else f", {labels[a]} / {labels[b]}"
        words = literal(words)
        panel.suptitle(words, fontsize=8.5, color=INK if same else RED)
        for axes, name in zip(panel.subplots(1, 2), (a, b), strict=True):
            show_image(axes, str(Path(root) / name))
            if not same:
                axes.spines[:].set_color(RED)
    rest = f", {len(shown)} of them shown" if len(pairs) > len(shown) else ""
    headline(fig, f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'} of duplicates{rest}")
    return fig


def cluster_samples(clusters: Sequence[Sequence[str]], root: str | Path) -> Chart:
    """Show near-duplicate clusters, one row per cluster, the largest first."""
    if not clusters:
        return message("No near-duplicate clusters were found.", "Clusters")
    shown = sorted(clusters, key=len, reverse=True)[:MOST_CLUSTERS]
    most = min(MOST_OF_CLUSTER, len(shown[0]))
    fig = Chart(figsize=(0.6 + 1.15 * most, 0.4 + 1.35 * len(shown)))
    for row, files in zip(fig.subplots(len(shown), most, squeeze=False), shown, strict=True):
        for axes, file in zip(row, files, strict=False):
            show_image(axes, str(Path(root) / file))
        for axes in row[len(files) :]:
            axes.set_axis_off()
        row[0].set_ylabel(f"{len(files)} images", fontsize=8.5, color=INK)
    rest = f", {len(shown)} of them shown" if len(clusters) > len(shown) else ""
    headline(fig, f"{len(clusters)} near-duplicate clusters{rest}")
    return fig


def shortcut_bars(shortcuts: Sequence[Shortcut]) -> Chart:
    """Show how well each property alone tells the classes apart, as bars."""
    heading = "How well properties alone tell the classes apart"
    if not shortcuts:
        return message("Some class has too few images to measure this.", heading)
    fig = Chart(figsize=(7.4, 1.0 + 0.3 * len(shortcuts)))
    axes = fig.subplots()
    names = [shortcut.label for shortcut in shortcuts]
    colors = [RED if shortcut.high else BLUE for shortcut in shortcuts]
    # An AUC below one half is chance too, so no bar goes to the left.
    lengths = [max(0.0, shortcut.auc - 0.5) for shortcut in shortcuts]
    bars = axes.barh(names, lengths, left=0.5, color=colors)
    words = [f"{shortcut.auc:.2f}   p {shortcut.p:.3f}" for shortcut in shortcuts]
    axes.bar_label(bars, words, padding=4, fontsize=9, color=INK)
    axes.axvline(min(s.min_auc for s in shortcuts), color=GREY, linewidth=0.8, linestyle=":")
    axes.invert_yaxis()
    axes.set_xlim(0.5, 1.15)
    axes.set_xticks([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    axes.set_xlabel("AUC, 0.5 is chance; orange: reported")
    tidy(axes, "x")
    title(axes, heading)
    return fig


def class_places(
    means: np.ndarray | None, classes: Sequence[str], cells: np.ndarray | None, *, heading: str
) -> Chart:
    """Show the mean map of each class and outline the cells that are not 0.

    Parameters
    ----------
    means
        (classes, side, side): mean edges.
    classes
        Names of the classes; without them the classes are numbered.
    cells
        (side, side): 0 except where the classes differ.
    heading
        Heading of the figure.
    """
    if means is None or cells is None:
        return message("No place was found.", heading)
    shown = means[:MOST_PLACES]
    fig = Chart(figsize=(0.4 + 2.6 * len(shown), 3.3))
    low, high = float(shown.min()), float(shown.max())
    for number, (axes, mean) in enumerate(
        zip(fig.subplots(1, len(shown), squeeze=False)[0], shown, strict=True)
    ):
        axes.imshow(mean, cmap="gray", vmin=low, vmax=high)
        for row, column in np.argwhere(cells != 0):
            corner = column - 0.5, row - 0.5
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=RED, linewidth=0.8))
        axes.set_xticks([])
        axes.set_yticks([])
        name = classes[number] if number < len(classes) else f"class {number}"
        axes.set_xlabel(literal(f"mean edges of {name}"), fontsize=8.5, color=INK)
    headline(fig, heading)
    return fig


def images_with_reasons(
    images: Sequence[tuple[str, str]], root: str | Path, *, heading: str
) -> Chart:
    """Show images, each with a reason below; at most 24 of them."""
    if not images:
        return message("There are no such images.", heading)
    shown = images[:MOST_PAIRS]
    across = min(6, len(shown))
    down = -(-len(shown) // across)
    fig = Chart(figsize=(0.3 + 1.75 * across, 0.5 + 2.25 * down))
    grid = fig.subplots(down, across, squeeze=False)
    for axes, (file, reason) in zip(grid.flat, shown, strict=False):
        show_image(axes, str(Path(root) / file))
        name = axes.get_xlabel()
        words = textwrap.fill(literal(reason), 26, max_lines=4)
        axes.set_xlabel(f"{name}\n{words}", fontsize=7, color=GREY)
    for axes in grid.flat[len(shown) :]:
        axes.set_axis_off()
    rest = f", {len(shown)} of {len(images)}" if len(images) > len(shown) else ""
    headline(fig, heading + rest)
    return fig
