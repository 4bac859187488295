"""The texts of the form as HTML: predictions, bars, the model, warnings."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from gellib.base.markup import in_html
from gellib.plots.base import percent
from gellib.report.conclusions import in_images
from gellib.runs import Record, RunFolder
from gellib.runs.record_sections import WeightsRecord
from gellib.training_run.predictor import Prediction

MOST_BARS = 10
BAR_PX = 220


def verdict(prediction: Prediction, record: Record | None, truth: str = "") -> str:
    """Return a prediction as HTML: its labels, one bar per class, and the model.

    Parameters
    ----------
    prediction
        The prediction of one image.
    record
        Record of the run that trained the model; None for the model without training.
    truth
        The true label, where it is known.
    """
    labels = sorted(prediction.labels, key=lambda name: -prediction.probabilities[name])
    names = [f"{in_html(name)}, {percent(prediction.probabilities[name], 0)}" for name in labels]
    size = "1.6em" if len(labels) < 3 else "1.2em"
    told, said = "<br>".join(names) or "no label", prediction.statement
    doubtful = prediction.task.exclusive and said != prediction.label
    title = in_html(said) if doubtful else told
    parts = [f"<div style='font-size:{size};font-weight:bold;line-height:1.3'>{title}</div>"]
    if doubtful:
        parts.append(f"<div>most probable: {told}</div>")
    parts += _doubt(prediction)
    if truth:
        right = truth == prediction.label
        mark, colour = ("✓ right", "#00664B") if right else ("✗ wrong", "#B00000")
        what = "the true class is" if prediction.task.exclusive else "the true labels are"
        named = ", ".join(prediction.task.labels_of(truth))
        parts.append(
            f"<div style='color:{colour};font-weight:bold'>{mark}: {what} {in_html(named)}</div>"
        )
    parts.append(_bars(prediction))
    nearest = getattr(prediction, "nearest", "")
    if nearest:
        likeness = in_html(nearest.replace("_", " "))
        parts.append(f"<div>most similar simulated class: <b>{likeness}</b></div>")
    who = _who(record) if record else f"{prediction.run}"
    parts.append(f"<div style='color:#444'>predicted by {in_html(who)}</div>")
    return "".join(parts)


def _doubt(prediction: Prediction) -> list[str]:
    """Say which labels are possible, and whether the image is unlike the training images."""
    parts = []
    if not prediction.task.exclusive and prediction.statement != prediction.label:
        parts.append(f"<div style='font-size:1.2em'>{in_html(prediction.statement)}</div>")
    if prediction.ood:
        single = prediction.task.exclusive and not prediction.unlike_all
        of = f"the training images of {prediction.label}" if single else "all training images"
        parts.append(box(in_html(f"This image is unlike {of}: do not rely on the prediction.")))
    return parts


def _bars(prediction: Prediction) -> str:
    ordered = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    rows, labels = [], prediction.labels
    # All predicted labels are shown, and as many others as fit.
    shown = ordered[: max(MOST_BARS, len(labels))]
    for name, share in shown:
        colour = "#0072B2" if name in labels else "#9DB4C6"
        bar = f"background:{colour};height:16px;width:{BAR_PX * share:.0f}px"
        rows.append(
            f"<tr><td style='padding:2px 10px 2px 0;text-align:right'>{in_html(name)}</td>"
            f"<td><div style='background:#ECECEC;width:{BAR_PX}px;position:relative'>"
            f"<div style='{bar}'></div>{_mark(prediction.thresholds.get(name))}</div>"
            f"</td><td style='padding:2px 0 2px 10px;text-align:right'>{percent(share)}</td></tr>"
        )
    table = f"<table style='margin:10px 0;border-collapse:collapse'>{''.join(rows)}</table>"
    if prediction.thresholds:
        table += "<div style='color:#444'>A label is given where its bar reaches the mark.</div>"
    return table


def _mark(threshold: float | None) -> str:
    if threshold is None:
        return ""
    place = f"left:{BAR_PX * threshold:.0f}px;top:-2px;height:20px;width:2px"
    return f"<div style='position:absolute;background:#222222;{place}'></div>"


def _who(record: Record) -> str:
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
        f"<p style='margin:4px 0'>{in_html(_who(record))}: {right} "
        f"{in_images(scores['accuracy'], scores['n'], images)}, {seen}. "
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


def run_label(run: RunFolder) -> str:
    """Name a run in the list of models."""
    record = run.read_record()
    value = record.val.get(record.task.headline) if record is not None else None
    where = "out of fold" if record and record.evaluation.method == "cv" else "on validation"
    score = "" if value is None else f"{percent(value)} {where} · "
    return f"{run.path.name} · {score}{run.path.parent.name}"


def box(text: str) -> str:
    """Return a warning or an error as HTML, in a frame."""
    style = (
        "border-left:8px solid #D55E00;background:#FFF1E6;color:#222;padding:8px 14px;"
        "margin:8px 0;max-width:720px;line-height:1.4"
    )
    return f"<div role='alert' style='{style}'>{text}</div>"
