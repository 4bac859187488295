"""A search over batch size and learning rate: the lowest validation loss of each run."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from gellib.plots.base import (
    GREY,
    INK,
    MARKERS,
    SERIES,
    Chart,
    headline,
    message,
    note,
    three_digits,
)

_HEADING = "Lowest validation loss by batch size and learning rate"
_MOST_PANELS = 8
# On a linear scale, runs that diverged would hide the differences between the others.
_LOGARITHMIC_FROM = 20
_COLOURED_TO = 1000


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["status"] == "done") & table["min_val_loss"].notna()]


def _is_wide(losses: np.ndarray) -> bool:
    return bool(losses.min() > 0 and losses.max() > _LOGARITHMIC_FROM * losses.min())


def search_3d(table: pd.DataFrame) -> Figure:
    """Batch size, learning rate and lowest validation loss of every run, coloured by network."""
    rows = _rows(table)
    if rows.empty:
        return message("No finished run has a validation loss.", _HEADING)
    fig = Chart(figsize=(8.4, 5.6), layout="none")
    axes = fig.add_subplot(projection="3d")
    axes.set_position((0.0, 0.06, 0.78, 0.86))
    batches = sorted(rows["batch_size"].unique())
    losses = rows["min_val_loss"].to_numpy(dtype=float)
    wide = _is_wide(losses)
    base = np.log10(losses.min()) if wide else losses.min()
    for number, (network, own) in enumerate(rows.groupby("pretrained_model", sort=False)):
        # Side by side, so that runs with the same settings do not hide each other.
        shift = 0.16 * (number - (rows["pretrained_model"].nunique() - 1) / 2)
        x = np.searchsorted(batches, own["batch_size"]) + shift
        y = np.log10(own["learning_rate"].to_numpy(dtype=float))
        z = own["min_val_loss"].to_numpy(dtype=float)
        colour = SERIES[number % len(SERIES)]
        # A line to the ground shows where a marker is in depth.
        top = np.log10(z) if wide else z
        for line in zip(x, y, top, strict=True):
            axes.plot([line[0]] * 2, [line[1]] * 2, [base, line[2]], color=colour, linewidth=0.6)
        axes.scatter(
            x, y, zs=top, color=colour, marker=MARKERS[number % len(MARKERS)], s=36,
            depthshade=False,
            label=f"{network}: lowest {three_digits(z.min())}, mean {three_digits(z.mean())}",
        )  # fmt: skip
    axes.set_xticks(range(len(batches)), [str(b) for b in batches])
    rates = sorted(rows["learning_rate"].unique())
    axes.set_yticks(np.log10(rates), [f"{rate:g}" for rate in rates])
    axes.set_xlabel("batch size", labelpad=6)
    axes.set_ylabel("learning rate", labelpad=10)
    axes.set_zlabel("lowest validation loss", labelpad=6)
    if wide:
        axes.zaxis.set_major_formatter(lambda power, _: three_digits(10**power))
    axes.tick_params(labelsize=8.5)
    axes.view_init(elev=22, azim=-52)
    axes.set_box_aspect(None, zoom=0.9)
    axes.legend(loc="upper left", bbox_to_anchor=(0.86, 0.95), frameon=False, fontsize=9)
    fig.text(0.01, 0.985, _HEADING, fontsize=11.5, fontweight="bold", color=INK, va="top")
    fig.text(
        0.01, 0.015, "One marker per run; the heat map shows the same values in two dimensions.",
        fontsize=8.5, color="#555555",
    )  # fmt: skip
    return fig


def search_heatmap(table: pd.DataFrame) -> Figure:
    """Lowest validation loss by batch size and rate, one panel per network; lowest framed."""
    rows = _rows(table)
    if rows.empty:
        return message("No finished run has a validation loss.", _HEADING)
    networks = list(dict.fromkeys(rows["pretrained_model"]))
    shown = networks[:_MOST_PANELS]
    batches, rates = (sorted(rows[name].unique()) for name in ("batch_size", "learning_rate"))
    columns = min(len(shown), 3)
    lines = -(-len(shown) // columns)
    width, height = max(2.3, 0.85 * len(rates) + 0.6), max(1.6, 0.5 * len(batches) + 0.9)
    fig = Chart(figsize=(1.6 + width * columns, 0.9 + height * lines))
    panels = fig.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    settings = ["pretrained_model", "batch_size", "learning_rate"]
    losses = rows.groupby(settings)["min_val_loss"].mean().to_numpy(dtype=float)
    wide = _is_wide(losses)
    low, high = losses.min(), max(losses.max(), losses.min() + 1e-6)
    beyond = wide and high > _COLOURED_TO * low
    high = min(high, _COLOURED_TO * low) if wide else high
    scale = LogNorm(low, high, clip=True) if wide else Normalize(low, high)
    for axes in panels.flat[len(shown) :]:
        axes.set_axis_off()
    for axes, network in zip(panels.flat, shown, strict=False):
        own = rows[rows["pretrained_model"] == network]
        grid = own.pivot_table(
            index="batch_size", columns="learning_rate", values="min_val_loss", aggfunc="mean"
        ).reindex(index=batches, columns=rates)
        values = grid.to_numpy(dtype=float)
        axes.imshow(values, aspect="auto", cmap="cividis_r", norm=scale)
        for (row, column), value in np.ndenumerate(values):
            known = np.isfinite(value)
            dark = known and scale(value) > 0.5
            axes.text(
                column, row, three_digits(value) if known else "–", ha="center", va="center",
                fontsize=8.5, color="white" if dark else INK if known else GREY,
            )  # fmt: skip
            if known and value <= losses.min() + 1e-12:
                axes.add_patch(_frame(column, row))
        axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        axes.set_yticks(range(len(batches)), [str(b) for b in batches])
        axes.tick_params(length=0, labelsize=8.5)
        axes.spines[:].set_visible(False)
        axes.set_title(f"{network}, mean {three_digits(own['min_val_loss'].mean())}", fontsize=10)
    for axes in panels[-1]:
        axes.set_xlabel("learning rate")
    for axes in panels[:, 0]:
        axes.set_ylabel("batch size")
    extend = "max" if beyond else "neither"
    colours = ScalarMappable(scale, "cividis_r")
    bar = fig.colorbar(colours, ax=panels, fraction=0.03, pad=0.02, extend=extend)
    bar.outline.set_visible(False)
    headline(fig, _HEADING)
    text = "Frame: the lowest of all. Runs with the same settings are averaged."
    if len(networks) > len(shown):
        text += f" {len(networks) - len(shown)} more networks are not shown."
    note(fig, text)
    return fig


def _frame(column: int, row: int) -> Rectangle:
    return Rectangle(
        (column - 0.48, row - 0.47), 0.96, 0.94, fill=False, edgecolor="#D55E00", linewidth=2.5
    )
