"""The tables of a model card: images by split, scores with intervals, classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gellib.base.markup import in_markdown
from gellib.base.text import shorten
from gellib.evaluation.registry import all_metrics
from gellib.plots.base import percent
from gellib.report.handover.document import Block, Grid, Paragraph
from gellib.report.handover.reported import Reported

_SPLITS = {"cv": "cross-validated", "train": "training", "val": "validation", "test": "test"}
_LONGEST_NAME = 60
_DASH = "–"


def counts_table(found: Reported) -> Grid:
    """Count the images of each class in each split."""
    counts = found.record.data.counts
    splits = [name for name in _SPLITS if any(own.get(name) for own in counts.values())]
    kind = "class" if found.exclusive else "label"
    rows = [
        (_short(name), *(str(counts.get(name, {}).get(split, 0)) for split in splits))
        for name in found.record.data.classes
    ]
    if found.exclusive and len(rows) > 1:
        sums = (sum(own.get(split, 0) for own in counts.values()) for split in splits)
        rows.append(("**all**", *map(str, sums)))
    return Grid((kind, *(f"{_SPLITS[name]} images" for name in splits)), tuple(rows))


def scores_tables(found: Reported) -> list[Block]:
    """Show the scores of the run with their intervals."""
    record = found.record
    scores, task = record.scores, record.task
    intervals = scores.get("intervals") or {}
    rows = []
    for metric in all_metrics(task.name):
        value = scores.get(metric.name)
        if value is not None:
            rows.append(
                (metric.title, metric.text(value), _bounds(intervals, metric.name, metric.text))
            )
    for name in ("sensitivity", "specificity"):
        if scores.get(name) is not None:
            title = f"{name.capitalize()}, of {_short(scores.get('positive', ''))} as positive"
            rows.append((title, percent(scores[name]), _bounds(intervals, name, percent)))
    where = "test images" if record.scored_on == "test" else "images out of fold"
    one = f", one of {len(found.seeds)} seeds," if len(found.seeds) > 1 else ""
    averaged = record.scored_on != "test" and record.evaluation.repeats > 1
    how = ", by each image's mean probability over the repeats" if averaged else ""
    how += f" ({found.metric}: the mean over the repeats)" if averaged else ""
    text = f"Scores of this run{one} on {scores['n']} {where}{how}:"
    return [Paragraph(text), Grid(("score", "value", "95 % interval"), tuple(rows))]


def class_tables(found: Reported) -> list[Block]:
    """Show the scores of each class; nothing where they are not on record."""
    scores = found.record.scores
    bounds, own = scores.get("class_intervals") or {}, scores.get("per_class") or {}
    if not own:
        return []
    rows = []
    for name, values in own.items():
        known = [f"{values.get('support', 0)}"]
        for metric in ("precision", "recall", "f1"):
            shown = percent(values[metric]) if values.get(metric) is not None else _DASH
            interval = _bounds(bounds.get(name) or {}, metric, percent)
            known.append(shown if interval == _DASH else f"{shown} ({interval})")
        rows.append((_short(name), *known))
    kind = "class" if found.exclusive else "label"
    return [
        Paragraph(f"By {kind}:"),
        Grid((kind, "images", "precision", "recall", "F1"), tuple(rows)),
    ]


def _bounds(intervals: Mapping[str, Any], name: str, text: Callable[[float], str]) -> str:
    low, high = intervals.get(name) or (None, None)
    return _DASH if low is None or high is None else f"{text(low)} to {text(high)}"


def _short(name: object) -> str:
    return in_markdown(shorten(str(name), _LONGEST_NAME))
