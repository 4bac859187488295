"""What the form says of a model: its line in the list, and who it is in a paragraph."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gellib.base.markup import in_html
from gellib.plots.base import percent
from gellib.report.conclusions import in_images
from gellib.report.widgets.messages import box
from gellib.runs import Record, RunFolder
from gellib.runs.record_sections import WeightsRecord


def run_label(run: RunFolder, rank: int) -> str:
    """Name a run in the list of models: `1. 95.7 % out of fold (89 to 98 %) · sweep gel · 01-a`.

    The score is the one that ranks the runs; where it was not measured on enough images to have an
    interval, that of the test images follows.
    """
    record, place = run.read_record(), f"sweep {run.path.parent.name} · {run.path.name}"
    if record is None:
        return f"{rank}. {place}"
    parts = []
    for metrics, where in ((record.val, _chosen_on(record)), (record.test, "on test images")):
        value = metrics.get(record.task.headline)
        if value is not None:
            bounds = _interval(metrics, record.task.headline)
            parts.append(f"{percent(value)} {where}{bounds}")
            if bounds:
                break
    word = "" if record.task.exclusive else f"{record.task.headline_words} "
    return f"{rank}. {word}{', '.join(parts)} · {place}" if parts else f"{rank}. {place}"


def _chosen_on(record: Record) -> str:
    return "out of fold" if record.evaluation.method == "cv" else "on validation"


def _interval(metrics: dict[str, Any], name: str) -> str:
    low, high = metrics.get("intervals", {}).get(name) or (None, None)
    if low is None or high is None:
        return ""
    return f" ({percent(low, 0).removesuffix(' %')} to {percent(high, 0)})"


def who(record: Record) -> str:
    """Name network, head and training of a run."""
    config = defaultdict(lambda: "unknown", record.config)
    parts = (
        config["pretrained_model"],
        f"{config['classifier_head']} head",
        config["opt_alg"],
        f"trained on {config['hardware_type']}",
        f"model {config['model_id']}",
    )
    return ", ".join(map(str, parts))


def about(record: Record) -> str:
    """Return as HTML which model a run trained, how accurate it is, and what its weights are."""
    scores = record.scores
    right = "right on" if record.task.exclusive else "all labels right on"
    images, seen = "test images", "which it had not seen before"
    if record.scored_on != "test":
        images, seen = "images", "each predicted by models that were trained without it"
    text = (
        f"<p style='margin:4px 0'>{in_html(who(record))}: {right} "
        f"{in_images(scores['accuracy'], scores['n'], images)}"
        f"{_interval(scores, 'accuracy').replace('(', '(95 % interval ')}, {seen}. "
        f"{in_html(_learned_from(record.weights))}</p>"
    )
    warning = record.weights.warning
    return text + (box(f"<b>⚠ {in_html(warning)}</b>") if warning else "")


def _learned_from(weights: WeightsRecord) -> str:
    known = {"imagenet": "ImageNet", "labsim": "simulated images alone"}
    if weights.name == "none":
        return "Its network was not pretrained."
    return f"Its network was pretrained on {known.get(weights.name, weights.name)}."


def about_untrained(card: dict[str, Any]) -> str:
    """Return as HTML what the model without training is, and how accurate."""
    figures = card["validation"]["none"]
    return (
        f"<p style='margin:4px 0'>{in_html(card['backbone'])}, pretrained on simulated images "
        f"alone and not trained on yours: predicts whether an image is a gel, right on "
        f"{percent(figures['gel_accuracy'])} of {card['validation']['images']} simulated images "
        "that it had not seen before.</p>"
    )
