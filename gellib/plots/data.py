"""The figures of a data set: images per class, sizes, file types, and sample images."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from PIL import Image

from gellib.data import ImageSet
from gellib.data.image_files import BadImageError, ImageInfo
from gellib.data.images import read_image
from gellib.plots.base import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MARKERS,
    ORANGE,
    SERIES,
    Chart,
    headline,
    literal,
    message,
    short_name,
    tidy,
    title,
)

SPLIT_COLORS = {"train": BLUE, "val": ORANGE, "cv": BLUE, "test": GREEN, "all": BLUE}
SPLIT_LABELS = {
    "train": "training",
    "val": "validation",
    "cv": "cross-validation",
    "test": "test",
    "all": "not split yet",
}
_THUMBNAIL_PX = 240
SIZE_TICKS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000]


def class_counts(imageset: ImageSet) -> Chart:
    """Show the number of images per class as bars, one per split."""
    counts = imageset.counts()
    bars = counts.size
    fig = Chart(figsize=(8, 1.1 + 0.24 * bars + 0.12 * len(counts)))
    axes = fig.subplots()
    height = 0.8 / counts.shape[1]
    for i, split in enumerate(counts.columns):
        places = np.arange(len(counts)) + (i - (counts.shape[1] - 1) / 2) * height
        color, label = SPLIT_COLORS[split], SPLIT_LABELS[split]
        drawn = axes.barh(places, counts[split], height * 0.92, color=color, label=label)
        axes.bar_label(drawn, padding=3, fontsize=9, color=INK)
    axes.set_yticks(range(len(counts)), [short_name(name, 32) for name in counts.index])
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("images")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes, "x")
    title(axes, f"{len(imageset)} images in {len(counts)} classes")
    if list(counts.columns) != ["all"]:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
    return fig


def image_sizes(infos: Iterable[ImageInfo]) -> Chart:
    """Show width and height in pixels of the readable images, one marker per image."""
    infos = [info for info in infos if not info.reason]
    heading = "Width and height of the images"
    if not infos:
        return message("No image can be read.", heading)
    fig = Chart(figsize=(6.2, 5))
    axes = fig.subplots()
    by_type = Counter(info.file_type for info in infos).most_common()
    for i, (kind, count) in enumerate(by_type):
        sizes = [(info.width, info.height) for info in infos if info.file_type == kind]
        axes.plot(
            *zip(*sizes, strict=True),
            linestyle="",
            marker=MARKERS[i % len(MARKERS)],
            color=SERIES[i % len(SERIES)],
            markersize=6,
            alpha=0.55,
            markeredgewidth=0,
            label=f"{kind} ({count})",
        )
    if len({(info.width, info.height) for info in infos}) == 1:
        heading = f"All images are {infos[0].width} x {infos[0].height} pixels"
    sides = [side for info in infos for side in (info.width, info.height)]
    low, high = min(sides) / 1.15, max(sides) * 1.15
    axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    for which in ("x", "y"):
        getattr(axes, f"set_{which}scale")("log")
        getattr(axes, f"set_{which}lim")(low, high)
        _pixel_ticks(axes, which, low, high)
    axes.set_aspect("equal")
    axes.set_xlabel("width, pixels")
    axes.set_ylabel("height, pixels")
    tidy(axes, "both")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
    title(axes, heading)
    return fig


def image_kinds(infos: Iterable[ImageInfo]) -> Chart:
    """Show the number of images of each file type, mode and bit depth as bars."""
    infos = list(infos)
    heading = "File type, mode and bits per channel"
    if not infos:
        return message("There are no images.", heading)
    kinds = Counter(
        f"{info.file_type}  {info.mode}  {info.bit_depth} bit" for info in infos if not info.reason
    ).most_common()
    bad = sum(bool(info.reason) for info in infos)
    kinds += [("cannot be read", bad)] if bad else []
    fig = Chart(figsize=(7, 1.1 + 0.32 * len(kinds)))
    axes = fig.subplots()
    colors = [SERIES[5] if name == "cannot be read" else BLUE for name, _ in kinds]
    drawn = axes.barh([name for name, _ in kinds], [count for _, count in kinds], color=colors)
    axes.bar_label(drawn, padding=3, fontsize=9, color=INK)
    axes.invert_yaxis()
    axes.margins(x=0.08)
    axes.set_xlabel("images")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(axes, "x")
    title(axes, heading)
    return fig


def sample_grid(imageset: ImageSet, per_class: int = 6, seed: int = 0) -> Chart:
    """Show random images of each class, one row per class.

    A file that cannot be read is shown as the reason why.

    Parameters
    ----------
    imageset
        The images.
    per_class
        How many images to show per class, at least 1.
    seed
        Random seed; the same seed selects the same images.

    Raises
    ------
    ValueError
        When `per_class` is below 1.
    """
    if per_class < 1:
        raise ValueError(f"per_class: got {per_class}, expected 1 or more")
    n_classes = len(imageset.classes)
    fig = Chart(figsize=(0.4 + 1.55 * per_class, 0.4 + 1.75 * n_classes))
    grid = fig.subplots(n_classes, per_class, squeeze=False)
    for label, name in enumerate(imageset.classes):
        own = [_has(value, label) for value in imageset.table["label"]]
        table = imageset.table[own].sort_values("file")
        rng = np.random.default_rng([seed, label])
        drawn = rng.permutation(len(table))[:per_class]
        for axes, row in zip(grid[label], drawn, strict=False):
            show_image(axes, table["path"].iloc[row])
        for axes in grid[label, len(drawn) :]:
            axes.set_axis_off()
        first = grid[label, 0]
        first.set_ylabel(f"{short_name(name, 18)}\n({len(table)})", fontsize=10, color=INK)
    headline(fig, f"Up to {per_class} random images of each class (seed {seed})")
    return fig


def show_image(axes: Axes, path: str) -> None:
    """Show an image file in a square with its name below, or the reason why it cannot be read."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#DDDDDD")
    axes.set_xlabel(short_name(path.replace("\\", "/").split("/")[-1], 20), fontsize=7, color=GREY)
    try:
        image = Image.fromarray(read_image(path, color="rgb"))
    except BadImageError as err:
        words = textwrap.fill(literal(err.reason), 20, max_lines=6)
        text = axes.text(0.5, 0.5, words, ha="center", va="center", fontsize=7, color=SERIES[5])
        text.set_in_layout(False)  # a long word would push the columns apart
        axes.set_aspect("equal")
        return
    image.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    side = max(image.size)
    square = Image.new("RGB", (side, side), "#F4F4F4")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    axes.imshow(square)


def _has(value: int | tuple[int, ...], label: int) -> bool:
    return label in value if isinstance(value, tuple) else value == label


def _pixel_ticks(axes: Axes, which: str, low: float, high: float) -> None:
    ticks = [tick for tick in SIZE_TICKS if low <= tick <= high]
    axis = getattr(axes, f"{which}axis")
    # Between two round numbers there may be no tick, where all images have one size.
    axis.set_ticks(ticks if len(ticks) > 1 else sorted({round(low * 1.15), round(high / 1.15)}))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
