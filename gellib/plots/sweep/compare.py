"""Comparison of models: the ranking with its ties, effects of factors, speed and accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from gellib.evaluation import BETTER, NO_EVIDENCE, NOT_ENOUGH, PRACTICALLY_SAME, Effect
from gellib.plots.base import (
    BLUE,
    GREEN,
    GREY,
    INK,
    MARKERS,
    ORANGE,
    RED,
    SERIES,
    Chart,
    headline,
    message,
    note,
    percent,
    percent_axis,
    short_name,
    three_digits,
    tidy,
)
from gellib.plots.sweep.names import MOST_MODELS, finished, model_labels, said

_COLOURS = {BETTER: BLUE, NO_EVIDENCE: GREY, NOT_ENOUGH: GREY, PRACTICALLY_SAME: GREEN}


def ranking(
    table: pd.DataFrame, tied: dict[int, bool], score: str, *, chosen: int | None = None
) -> Figure:
    """Models from the highest score down; those that do not differ from the highest in orange.

    Parameters
    ----------
    table
        One row per model, with `<score>_low` and `<score>_high`, 0..1.
    tied
        By number of the model, in the order of the ranking: whether there is no evidence of a
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
    percent_axis(axes.xaxis, axes, "x", top=1.03)
    tidy(axes, "x")
    axes.tick_params(axis="y", length=0)
    headline(fig, heading)
    text = "Orange dots: no evidence of a difference from the highest. Grey squares: worse (paired"
    text += " test, 5 %)."
    text += f" Lines: 95 % intervals. Ring: chosen by {said(table, 'choice')}."
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
        names.append(f"{factor}{short_name(effect.a, 24)} − {short_name(effect.b, 24)}")
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


def pareto(table: pd.DataFrame, score: str, word: str) -> Figure:
    """Score against training time, inference time and size, with the Pareto front of each.

    Parameters
    ----------
    table
        One row per model; times in the units of the columns' names.
    score
        Column of the score, 0..1.
    word
        What the score is called in the figure.
    """
    done = finished(table, score)
    heading = f"Speed and size against {said(table, 'adjective')} {word}"
    costs = {
        "training_time_mins": ("training, s", 60.0),
        "inference_time_secs": (f"inference of all {said(table, 'images')}, s", 1.0),
        "parameters": ("parameters, millions", 1e-6),
    }
    columns = [name for name in costs if name in done and done[name].notna().any()]
    if done.empty or not columns:
        return message("No run has finished, so there are no times.", heading)
    fig = Chart(figsize=(1.6 + 3.9 * len(columns), 4.4))
    panels = np.atleast_1d(fig.subplots(1, len(columns), sharey=True))
    levels = list(dict.fromkeys(done["pretrained_model"]))
    bottom = max(0.0, np.floor(done[score].min() * 10) / 10 - 0.05)
    panels[0].set_ylim(bottom, 1.0 + 0.1 * (1 - bottom))
    for axes, column in zip(panels, columns, strict=True):
        label, factor = costs[column]
        rows = done[done[column] > 0]
        cost, value = rows[column].to_numpy(dtype=float) * factor, rows[score].to_numpy(dtype=float)
        for number, level in enumerate(levels):
            own = (rows["pretrained_model"] == level).to_numpy()
            axes.plot(
                cost[own], value[own], MARKERS[number % len(MARKERS)], markersize=7, alpha=0.85,
                color=SERIES[number % len(SERIES)], markeredgecolor="white", clip_on=False,
                label=level, zorder=3,
            )  # fmt: skip
        front = pareto_front(cost, value)
        axes.plot(cost[front], value[front], color=INK, linewidth=1, drawstyle="steps-post")
        if len(cost) and cost.max() / cost.min() > 20:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(lambda v, _: three_digits(v))
            axes.xaxis.set_minor_formatter(lambda v, _: "")
        else:
            axes.set_xlim(left=0)
            axes.margins(x=0.08)
        axes.set_xlabel(label)
        tidy(axes, "both")
        _number(axes, cost[front], value[front], rows["model_id"].iloc[front].astype(str).tolist())
    panels[0].yaxis.set_major_formatter(lambda v, _: percent(v, 0) if v <= 1.0001 else "")
    panels[0].set_ylabel(f"{said(table, 'adjective')} {word}")
    if len(levels) <= 2 * len(SERIES):
        fig.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
    headline(fig, heading)
    text = "Line and numbers: models that no other model beats in both cost and score."
    missing = "" if "parameters" in columns else " The records do not hold the sizes of the models."
    note(fig, text + missing)
    return fig


def _number(axes: Axes, x: np.ndarray, y: np.ndarray, ids: Sequence[str]) -> None:
    """Write the models' numbers at the points of a front, one text for points close together.

    The text goes above and to the left of a point, where a front has no other point, unless that
    is outside the axes.
    """
    places = axes.transAxes.inverted().transform(axes.transData.transform(np.column_stack([x, y])))
    texts: list[tuple[int, list[str]]] = []
    for i, name in enumerate(ids):
        if texts and np.all(np.abs(places[i] - places[texts[-1][0]]) < (0.09, 0.06)):
            texts[-1][1].append(name)
        else:
            texts.append((i, [name]))
    for i, names in texts:
        axes.annotate(
            ", ".join(names[:3]) + (", …" if len(names) > 3 else ""), (x[i], y[i]),
            (-5, 5) if places[i, 0] > 0.14 else (5, 5), textcoords="offset points", fontsize=8.5,
            ha="right" if places[i, 0] > 0.14 else "left", fontweight="bold",
        )  # fmt: skip


def pareto_front(cost: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return the rows that no other beats in both (lower cost, higher value), cheapest first."""
    order = np.lexsort((-value, cost))
    front, best, at = [], -np.inf, np.nan
    for i in order:
        if value[i] > best + 1e-12 or (value[i] >= best - 1e-12 and cost[i] == at):
            front.append(i)
            best, at = max(best, value[i]), cost[i]
    return np.array(front, dtype=int)
