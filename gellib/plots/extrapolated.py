"""The figure of what more images would give: the learning curve, and how it may go on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator, NullLocator, PercentFormatter

from gellib.evaluation.extrapolation import Extrapolation
from gellib.plots.base import BLUE, GREY, INK, ORANGE, Chart, tidy, title


def more_images(
    sizes: Sequence[float],
    means: Sequence[float],
    expected: Extrapolation,
    score: str = "accuracy",
) -> Figure:
    """Draw the score by number of training images, measured and expected with its 90 % band.

    Parameters
    ----------
    sizes, means
        The measured curve: numbers of training images, and mean scores, (S,).
    expected
        Its extrapolation at rising sizes, beyond the number of images there are.
    score
        Name of the score.
    """
    fig = Chart(figsize=(7.2, 4.0))
    axes = fig.subplots()
    axes.fill_between(
        expected.sizes, expected.low, expected.high, color=ORANGE, alpha=0.25, linewidth=0,
        label="90 % band",
    )  # fmt: skip
    axes.plot(expected.sizes, expected.middle, color=ORANGE, linewidth=1.8, label="expected")
    axes.plot(
        sizes, means, color=BLUE, marker="o", markersize=5, linewidth=1.8,
        label="measured by cross-validation", clip_on=False,
    )  # fmt: skip
    axes.axvline(expected.n, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xscale("log")
    ticks = np.unique([*(_round(size) for size in sizes[::2]), expected.n, 2 * expected.n])
    axes.set_xticks([tick for tick in ticks if not 0.75 * expected.n < tick < expected.n])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("training images")
    axes.set_ylabel(score)
    lowest = min(min(means), expected.low.min())
    axes.set_ylim(max(0.0, np.floor(10 * lowest - 0.5) / 10), 1.02)
    axes.yaxis.set_major_locator(MultipleLocator(0.05 if lowest > 0.7 else 0.1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    tidy(axes, grid="y")
    axes.annotate(
        f"your {expected.n:,} images", (expected.n, axes.get_ylim()[0]), xytext=(-4, 5), ha="right",
        textcoords="offset points", color=INK, fontsize=9,
    )  # fmt: skip
    axes.legend(frameon=False, loc="best")
    title(axes, "What more images would give")
    return fig


def _round(size: float) -> int:
    """Round to two digits, for a tick."""
    digits = max(0, int(np.floor(np.log10(size))) - 1)
    return int(round(size / 10**digits) * 10**digits)
