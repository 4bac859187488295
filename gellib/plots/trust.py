"""The figures of how far a run can be trusted: calibration, and deferral to a person."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gellib.evaluation import ENOUGH_IMAGES
from gellib.plots.base import (
    BLUE,
    GREY,
    ORANGE,
    Chart,
    message,
    note,
    percent,
    percent_axis,
    tidy,
    title,
)


def reliability_diagram(
    before: dict[str, np.ndarray],
    after: dict[str, np.ndarray],
    scores: dict[str, Any],
    *,
    where: str = "test images",
    tuned_on: str = "validation images",
) -> Figure:
    """Accuracy by predicted probability, before and after calibration.

    The area of a marker is the number of predictions.

    Parameters
    ----------
    before, after
        The bins of `gellib.evaluation.reliability`, with the probabilities as trained and
        calibrated.
    scores
        The record of `gellib.evaluation.calibration_record`.
    where, tuned_on
        Which images these are, and which ones the temperature is from.
    """
    if before["right"].min() == 1:
        return message(
            f"All {scores['n']} {where} are predicted correctly, so that they cannot show how "
            f"often a prediction with 90 % is right. {_temperature(scores, tuned_on)}",
            "Calibration",
        )
    fig = Chart(figsize=(5.6, 5.2))
    axes = fig.subplots()
    axes.plot([0, 1], [0, 1], linestyle=":", color=GREY, linewidth=1.2)
    changed = scores["temperature"] != 1
    most = max(before["n"].max(), after["n"].max())
    enough = scores["n_val"] >= ENOUGH_IMAGES
    name = ("calibrated" if enough else "with the temperature") if changed else "as trained"
    curves = [(after, BLUE, "o", name, "ece_calibrated")]
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
    axes.set_xlabel("mean probability of the predicted class")
    axes.set_ylabel("share of correct predictions")
    tidy(axes, "both")
    axes.legend(frameon=False, loc="upper left", fontsize=8.5)
    title(axes, _titled("Calibration:", scores["n"], where))
    note(fig, f"{_temperature(scores, tuned_on)} Lines: 95 % intervals.")
    return fig


def _temperature(scores: dict[str, Any], tuned_on: str) -> str:
    if scores["temperature"] == 1:
        return f"Temperature 1, so nothing changed: {scores['reason']}."
    text = f"Temperature {scores['temperature']:.2f}, from {scores['n_val']} {tuned_on}."
    if scores["n_val"] < ENOUGH_IMAGES:
        text += f" Fewer than {ENOUGH_IMAGES} images: not calibrated reliably."
    return text


def _titled(text: str, n: int, where: str) -> str:
    """Say of how many images a figure is, in a second line where that is long."""
    return f"{text}{' ' if len(where) < _LONG else chr(10)}{n} {where}"


_LONG = 20  # letters
_MEASURES = {"entropy": "entropy", "mutual_information": "disagreement of the {what}"}


def risk_coverage(
    curves: dict[str, dict[str, np.ndarray]],
    record: dict[str, Any],
    *,
    where: str = "test images",
    samples: str = "dropout samples",
) -> Figure:
    """Accuracy on the remaining images when the most uncertain ones are deferred to a person.

    Parameters
    ----------
    curves
        By measure of uncertainty, the curve of `gellib.evaluation.risk_coverage`.
    record
        The record of `RunUncertainty`.
    where
        Which images these are.
    samples
        Whose disagreement the mutual information measures.
    """
    n = record["uncertainty"]["n"]
    if next(iter(curves.values()))["accuracy"][0] == 1:
        return message(
            f"All {n} {where} are predicted correctly: there is no mistake that deferring the "
            "uncertain ones to a person would avoid.",
            "Deferral to a person",
        )
    fig = Chart(figsize=(6.4, 4.4))
    axes = fig.subplots()
    found = record["uncertainty"]
    first = next(iter(curves.values()))
    whole = first["accuracy"][0]
    axes.axhline(whole, linestyle=":", color=GREY, linewidth=1.2)
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}
    chance = axes.text(0.89, whole, "random deferral", fontsize=8.5, color="#666666", bbox=paper)
    chance.set(va="bottom", ha="right", zorder=4)
    axes.fill_between(
        first["handed_over"], first["low"], first["high"], step="post", color=BLUE, alpha=0.12
    )
    for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE), strict=False):
        area = found[name]["auroc"]
        text = "no mistake to detect" if area is None else f"AUC {area:.2f} for detecting mistakes"
        axes.step(
            curve["handed_over"],
            curve["accuracy"],
            where="post",
            color=colour,
            linewidth=2,
            linestyle="-" if colour == BLUE else "--",
            label=f"highest {_MEASURES[name].format(what=samples)}: {text}",
        )
    percent_axis(axes.xaxis, axes, "x")
    percent_axis(axes.yaxis, axes, "y", top=1.02)
    axes.set_xlim(0, 0.9)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    shown = [curve["accuracy"][curve["handed_over"] <= 0.9].min() for curve in curves.values()]
    lowest = min(*shown, *first["low"][: len(first["low"]) // 2 + 1])
    bottom = max(0.0, 0.1 * np.floor(10 * lowest))
    axes.set_ylim(bottom)
    axes.set_xlabel("share of the images deferred to a person, most uncertain first")
    axes.set_ylabel("accuracy on the remaining images")
    tidy(axes, "y")
    high = whole > (bottom + 1) / 2
    axes.legend(frameon=False, fontsize=8.5, loc="lower right" if high else "upper left")
    title(axes, _titled("Are uncertain predictions wrong more often?", found["n"], where))
    how = f"{found['samples']} {samples}." if found["samples"] else f"No {samples}."
    note(fig, how + " Band: 95 % interval of the first curve.")
    return fig
