"""The figures of classes and labels: imbalance, co-occurrence, and scores by label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from gellib.data import ImageSet
from gellib.evaluation import multi_hot
from gellib.plots.base import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    Chart,
    headline,
    message,
    note,
    percent,
    short_name,
    tidy,
    title,
)

# Beyond this ratio of the largest to the smallest class, the small bars would vanish.
LOG_RATIO = 50
_MAX_TEXT_CLASSES = 15
_SCORES = {
    "precision": ("precision", BLUE),
    "recall": ("recall", ORANGE),
    "f1": ("F1", GREEN),
    "average_precision": ("average precision", PURPLE),
}


def class_imbalance(imageset: ImageSet) -> Figure:
    """Show the number and share of images per class, the largest class first, and their mean."""
    members = multi_hot(imageset.table["label"], len(imageset.classes))
    counts, n = members.sum(axis=0), len(imageset)
    order = np.argsort(-counts, kind="stable")
    fig, axes = _rows_of_bars(len(counts))
    drawn = axes.barh(range(len(counts)), counts[order], 0.72, color=BLUE)
    words = [f"{counts[c]}  ({percent(counts[c] / n)})" for c in order]
    behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
    axes.bar_label(drawn, words, padding=4, fontsize=9, color=INK, bbox=behind)
    axes.set_yticks(range(len(counts)), [short_name(imageset.classes[c], 32) for c in order])
    mean = counts.mean()
    axes.axvline(mean, color=INK, linewidth=1.2, linestyle="--", zorder=0.9)
    low, high = counts.min(), counts.max()
    if low and high / low > LOG_RATIO:
        axes.set_xscale("log")
        axes.set_xlim(max(low / 3, 0.8), high * 6)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("images (logarithmic scale)")
    else:
        axes.set_xlim(0, high * 1.25)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("images")
    ratio = f"{high / low:.3g} times" if low else "all"
    title(axes, f"The largest class has {ratio} the images of the smallest")
    text = f"Dashed: the mean, {mean:.4g} images."
    if not imageset.task.exclusive:
        text += f" An image has {members.sum() / n:.2f} labels on average."
    else:
        text += f" Always predicting the largest class is right for {percent(high / n)}."
    note(fig, text)
    return fig


def co_occurrence(imageset: ImageSet) -> Figure:
    """Show which labels occur together: of the images with a row's label, the share per column."""
    if imageset.task.exclusive:
        return message(
            "Each image has one label, so none occur together.", "Co-occurrence of labels"
        )
    members = multi_hot(imageset.table["label"], len(imageset.classes))
    together = members.T @ members
    n = len(together)
    own = np.diag(together)
    share = together / np.maximum(own, 1)[:, None]
    np.fill_diagonal(share, np.nan)
    side = min(3.2 + 0.42 * n, 11)
    fig = Chart(figsize=(side + 1.9, side))
    axes = fig.subplots()
    top = max(float(np.nanmax(share, initial=0)), 0.01)
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=top)
    axes.set_facecolor("#F1F1F1")
    if n <= _MAX_TEXT_CLASSES:
        for row, column in np.ndindex(n, n):
            value = share[row, column]
            if row == column or not together[row, column]:
                continue
            color = "white" if value > 0.6 * top else INK
            text = "<1" if value < 0.01 else f"{100 * value:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color=color)
    names = [short_name(name, 28) for name in imageset.classes]
    size = 9 if n <= _MAX_TEXT_CLASSES else 7.5
    axes.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
    rows = [f"{name} ({count})" for name, count in zip(names, own, strict=True)]
    axes.set_yticks(range(n), rows, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("also have this label")
    axes.set_ylabel("of the images with this label")
    bar = fig.colorbar(image, ax=axes, shrink=0.6, format=PercentFormatter(1.0, 0, symbol=" %"))
    bar.outline.set_visible(False)
    title(axes, "Co-occurrence of labels, in percent")
    return fig


def label_combinations(imageset: ImageSet, most: int = 20) -> Figure:
    """Show the number of images per set of labels, the most frequent sets first."""
    if imageset.task.exclusive:
        return message("Each image has one label.", "Sets of labels")
    labels = list(imageset.table["label"])
    ranked = Counter(labels).most_common()
    ranked.sort(key=lambda pair: (-pair[1], pair[0]))
    shown = ranked[:most]
    fig, axes = _rows_of_bars(len(shown))
    counts = [count for _, count in shown]
    colors = [(BLUE, ORANGE, GREEN, PURPLE)[min(max(len(key), 1), 4) - 1] for key, _ in shown]
    drawn = axes.barh(range(len(shown)), counts, 0.72, color=colors)
    words = [f"{count}  ({percent(count / len(labels))})" for count in counts]
    axes.bar_label(drawn, words, padding=4, fontsize=9, color=INK)
    names = [short_name(name, 24) for name in imageset.classes]
    sets = [" + ".join(names[c] for c in key) or "no label" for key, _ in shown]
    axes.set_yticks(range(len(shown)), sets)
    axes.set_xlim(0, max(counts) * 1.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("images")
    title(axes, f"{len(ranked)} different sets of labels in {len(labels)} images")
    rest = len(labels) - sum(counts)
    more = f" Not shown: {len(ranked) - len(shown)} rarer sets, {rest} images." if rest else ""
    note(fig, f"Colours: one, two, three, four or more labels.{more}")
    return fig


def label_scores(
    per_class: dict[str, dict[str, Any]],
    n: int,
    *,
    heading: str = "",
    not_tuned: Collection[str] = (),
) -> Figure:
    """Precision, recall, F1, average precision and number of images, one row per class.

    Each class is evaluated against all images without it.

    Parameters
    ----------
    per_class
        Scores by class, as `evaluate_multilabel` returns them in `per_class`.
    n
        Number of images.
    heading
        What the images are called, `Images` if empty.
    not_tuned
        Classes whose threshold could not be tuned; they get a mark.
    """
    rows = len(per_class)
    fig = Chart(figsize=(11, 1.5 + 0.27 * rows))
    panels = fig.subplots(1, len(_SCORES) + 1, sharey=True)
    places = np.arange(rows)
    for axes, (key, (name, color)) in zip(panels, _SCORES.items(), strict=False):
        values = [scores[key] for scores in per_class.values()]
        lengths = [value or 0.0 for value in values]
        drawn = axes.barh(places, lengths, 0.72, color=color)
        words = ["–" if value is None else f"{100 * value:.0f}" for value in values]
        behind = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.bar_label(drawn, words, padding=3, fontsize=8.5, color=INK, bbox=behind)
        known = [value for value in values if value is not None]
        if known:
            mean = float(np.mean(known))
            axes.axvline(mean, color=INK, linewidth=1, linestyle=":", zorder=0.9)
        axes.set_xlim(0, 1.2)
        axes.set_xticks([0, 0.5, 1])
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        _panel(axes, name)
    counts = [scores["support"] for scores in per_class.values()]
    drawn = panels[-1].barh(places, counts, 0.72, color=GREY)
    panels[-1].bar_label(drawn, padding=3, fontsize=8.5, color=INK)
    panels[-1].set_xlim(0, max(1, *counts) * 1.4)
    panels[-1].xaxis.set_major_locator(MaxNLocator(2, integer=True))
    _panel(panels[-1], "images")
    names = [
        f"{short_name(name, 26)}  ≥ {scores['threshold']:.2f}{'*' if name in not_tuned else ''}"
        for name, scores in per_class.items()
    ]
    panels[0].set_yticks(places, names)
    panels[0].set_ylim(rows - 0.4, -0.6)
    headline(fig, f"{heading or 'Images'} ({n}): each label against the rest")
    few = " *: too few validation images to tune it." if not_tuned else ""
    note(fig, f"Beside each name: its threshold.{few} Dotted: the mean of the classes.")
    return fig


def _panel(axes: Axes, name: str) -> None:
    tidy(axes, "x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(name, loc="left", fontsize=10, color=INK)


def _rows_of_bars(rows: int) -> tuple[Chart, Axes]:
    fig = Chart(figsize=(8, 1.5 + 0.29 * rows))
    axes = fig.subplots()
    tidy(axes, "x")
    axes.set_ylim(rows - 0.4, -0.6)
    return fig, axes
