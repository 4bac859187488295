"""The figures of how far a run can be trusted: calibration, and what is handed to a person."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gellib.plots.base import (
    BLUE,
    GREY,
    ORANGE,
    Chart,
    note,
    percent,
    percent_axis,
    tidy,
    title,
)


def reliability_diagram(
    before: dict[str, np.ndarray], after: dict[str, np.ndarray], scores: dict[str, Any]
) -> Figure:
    """How often answers are right against how sure they are, before and after calibration.

    `before` and `after` are what `gellib.metrics.reliability` gives, `scores` what
    `calibration_record` gives; the area of a mark is the number of answers.
    """
    fig = Chart(figsize=(5.6, 5.2))
    axes = fig.subplots()
    axes.plot([0, 1], [0, 1], linestyle=":", color=GREY, linewidth=1.2)
    changed = scores["temperature"] != 1
    most = max(before["n"].max(), after["n"].max())
    curves = [(after, BLUE, "o", "calibrated" if changed else "as trained", "ece_calibrated")]
    if changed:
        curves.insert(0, (before, ORANGE, "s", "as trained", "ece"))
    for table, colour, marker, name, key in curves:
        axes.plot(table["confidence"], table["right"], color=colour, linewidth=1.4, alpha=0.7)
        axes.scatter(
            table["confidence"],
            table["right"],
            s=25 + 75 * table["n"] / most,
            color=colour,
            marker=marker,
            edgecolor="white",
            linewidth=0.8,
            zorder=3,
            clip_on=False,
            label=f"{name}: calibration error {percent(scores[key])}",
        )
    axes.vlines(after["confidence"], after["low"], after["high"], color=BLUE, alpha=0.35)
    lowest = min(before["confidence"].min(), after["confidence"].min(), 0.5)
    percent_axis(axes.xaxis, axes, "x")
    percent_axis(axes.yaxis, axes, "y", top=1.0)
    axes.set_xlim(0.1 * np.floor(10 * lowest), 1)
    axes.set_xlabel("how sure the answers are (mean probability)")
    axes.set_ylabel("how many of them are right")
    tidy(axes, "both")
    axes.legend(frameon=False, loc="upper left", fontsize=8.5)
    title(axes, f"Calibration on {scores['n']} test images")
    text = f"Temperature {scores['temperature']:.2f}, from {scores['n_val']} validation images."
    text = text if changed else "Temperature 1, nothing changed: " + scores["reason"] + "."
    note(fig, text + " Lines: 95 % intervals.")
    return fig
