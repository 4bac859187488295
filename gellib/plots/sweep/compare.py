"""Comparison of models: models with their ties, and differences with their verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gellib.evaluation import BETTER, NO_EVIDENCE, NOT_ENOUGH, PRACTICALLY_SAME, Effect
from gellib.plots.base import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    Chart,
    headline,
    message,
    note,
    share_axis,
    short_name,
    tidy,
)
from gellib.plots.sweep.names import MOST_MODELS, finished, model_labels, said

_COLOURS = {BETTER: BLUE, NO_EVIDENCE: GREY, NOT_ENOUGH: GREY, PRACTICALLY_SAME: GREEN}


def tied_models(
    table: pd.DataFrame, tied: dict[int, bool], score: str, *, chosen: int | None = None
) -> Figure:
    """Models from the highest score down; those that do not differ from the highest in orange.

    Parameters
    ----------
    table
        One row per model, with `<score>_low` and `<score>_high`, 0..1.
    tied
        By number of the model, in the order of the scores: whether there is no evidence of a
        difference from the highest.
    score
        Column of the score, 0..1.
    chosen
        Number of the model that validation chose; it gets a ring.
    """
    heading = "Which models cannot be distinguished from the highest"
    rows = finished(table, score).set_index("model_id", drop=False)
    shown = [number for number in tied if number in rows.index]
    if rows.empty:
        return message("No run has finished.", heading)
    if len(shown) < 2:
        return message("Fewer than two models were tested on the same images.", heading)
    left_out = len(shown) - MOST_MODELS
    rows = rows.loc[shown[:MOST_MODELS]]
    values = rows[score].to_numpy(dtype=float)
    places = np.arange(len(rows))
    is_tied = np.array([tied[number] for number in rows.index])
    fig = Chart(figsize=(8.2, 1.4 + 0.265 * len(rows)))
    axes = fig.subplots()
    if f"{score}_low" in rows:
        low, high = (rows[f"{score}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
        for group, colour in ((is_tied, ORANGE), (~is_tied, GREY)):
            axes.hlines(places[group], low[group], high[group], color=colour, linewidth=1.6)
    axes.plot(values[is_tied], places[is_tied], "o", color=ORANGE, markersize=8)
    axes.plot(values[~is_tied], places[~is_tied], "s", color=GREY, markersize=6)
    if chosen in rows.index:
        place = list(rows.index).index(chosen)
        axes.plot(
            values[place], place, "o", markersize=14, markerfacecolor="none",
            markeredgecolor=INK, markeredgewidth=1.4, clip_on=False,
        )  # fmt: skip
    axes.set_yticks(places, model_labels(rows), fontsize=8.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    drawn = [rows[name].to_numpy(dtype=float) for name in (score, f"{score}_low") if name in rows]
    share_axis(axes.xaxis, np.concatenate(drawn))
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)
    headline(fig, heading)
    text = "Orange dots: no evidence of a difference from the highest. Grey squares: worse (paired"
    text += " test, 5 %)."
    text += f" Lines: 95 % intervals. Ring: chosen by {said(table, 'choice')}. The axis starts"
    text += " where the values do."
    text += f" {left_out} lower models are not shown." if left_out > 0 else ""
    note(fig, text)
    return fig


def effects(
    found: Sequence[Effect],
    named: dict[str, str],
    *,
    most: int = 40,
    heading: str = "Differences between settings, all else equal",
    score: str = "test score",
    margin: float | None = None,
    adjusted: str = "Holm's adjustment for",
    longest: int = 24,
) -> Figure:
    """Differences between levels of factors, in percentage points, with intervals and verdicts.

    Parameters
    ----------
    found
        The differences.
    named
        The label of each factor by name.
    most
        How many are shown, those with the lowest p.
    heading
        Heading of the figure.
    score
        What the score is called.
    margin
        Difference, 0..1, below which two are practically the same; drawn as a band.
    adjusted
        How p-values were adjusted for the number of comparisons.
    longest
        Letters of a level's name from which it is shortened.
    """
    if not found:
        return message("No run differs from another in one setting alone.", heading)
    order = sorted(found, key=lambda e: e.p_holm)[:most]
    shown = [effect for effect in found if effect in order]
    fig = Chart(figsize=(9.2, 1.5 + 0.34 * len(shown)))
    axes = fig.subplots()
    low = np.array([effect.low for effect in shown]) * 100
    high = np.array([effect.high for effect in shown]) * 100
    middle = np.array([effect.difference for effect in shown]) * 100
    places = np.arange(len(shown))
    colours = [_COLOURS.get(effect.verdict, RED) for effect in shown]
    axes.axvline(0, color=INK, linewidth=1)
    if margin is not None:
        axes.axvspan(-100 * margin, 100 * margin, color=GREY, alpha=0.15, linewidth=0)
    known = np.isfinite(low) & np.isfinite(high)
    axes.hlines(
        places[known], low[known], high[known], color=np.array(colours)[known], linewidth=2.2
    )
    axes.scatter(middle, places, c=colours, s=46, zorder=3)
    one = len({effect.factor for effect in found}) == 1
    names = []
    for effect in shown:
        factor = "" if one else f"{named.get(effect.factor, effect.factor)}: "
        names.append(f"{factor}{short_name(effect.a, longest)} − {short_name(effect.b, longest)}")
    axes.set_yticks(places, names, fontsize=8.5)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    reach = max(5.0, np.nanmax(np.abs(np.concatenate([low, high, middle]))) * 1.05)
    axes.set_xlim(-reach, reach)
    for place, effect in zip(places, shown, strict=True):
        axes.text(
            1.01, float(place), f"{effect.verdict}, p {_p(effect.p_holm)}", fontsize=8, va="center",
            transform=axes.get_yaxis_transform(), color=_COLOURS.get(effect.verdict, RED),
        )  # fmt: skip
    axes.set_xlabel(f"{score}, percentage points: the first minus the second")
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)
    headline(fig, heading)
    units = ", ".join(dict.fromkeys(effect.unit for effect in found))
    more = len(found) - len(shown)
    text = f"Lines: 95 % intervals. p: {adjusted} {len(found)} comparisons, over {units}."
    if margin is not None:
        text += f" Band: within {100 * margin:g} percentage points, practically the same."
    note(fig, text + (f" {more} with higher p are not shown." if more else ""))
    return fig


def _p(value: float) -> str:
    return "= 1" if value >= 0.995 else f"= {value:.3f}" if value >= 0.001 else "< 0.001"
