"""One prediction as HTML: the image, what can be said of it, bars, warnings."""

from __future__ import annotations

from pathlib import Path

from gellib.base.markup import in_html
from gellib.plots.base import percent
from gellib.report.thumbnails import PREVIEW_PX, image_tag
from gellib.report.widgets.about_model import who
from gellib.report.widgets.heat_map import Overlay
from gellib.report.widgets.messages import box
from gellib.runs import Record
from gellib.training_run.prediction import Prediction

MOST_BARS = 10
DO_NOT_RELY = "Do not rely on it"
_BAR_PX = 220
# Greys by transparency: the page may be dark.
_QUIET = "opacity:0.8"


def card(
    prediction: Prediction,
    image: bytes,
    record: Record | None,
    truth: str = "",
    overlay: Overlay | None = None,
) -> str:
    """Return an image beside its prediction, as HTML.

    Parameters
    ----------
    prediction
        The prediction.
    image
        The image as PNG.
    record
        Record of the run that trained the model; None for the model without training.
    truth
        The true label, where it is known.
    overlay
        The heat map, where one was asked for.
    """
    name = Path(prediction.file).name
    if prediction.error:
        return cannot_be_read(prediction)
    shown = image_tag(image, f"The image {name}")
    caption = in_html(name)
    if overlay is not None:
        shown += f"<div style='margin-top:8px'>{overlay.tag(name)}</div>"
        caption += f"<br>Heat map: {in_html(overlay.meaning)}"
    return (
        "<div style='display:flex;flex-wrap:wrap;gap:8px 24px;margin-top:16px;line-height:1.4'>"
        f"<figure style='margin:0;max-width:{PREVIEW_PX}px'>{shown}"
        f"<figcaption style='{_QUIET};overflow-wrap:anywhere'>{caption}</figcaption></figure>"
        f"<div role='status' style='flex:1 1 280px;max-width:480px'>"
        f"{verdict(prediction, record, truth)}</div></div>"
    )


def verdict(prediction: Prediction, record: Record | None, truth: str = "") -> str:
    """Return a prediction as HTML: what can be said of it, one bar per class, and the model.

    Where it is not to be relied on, that is what stands out, not the class.
    """
    parts = [*_headline(prediction)]
    if truth:
        parts.append(truth_line(prediction, truth))
    parts.append(bars(prediction))
    if likeness := getattr(prediction, "likeness", ""):
        parts.append(f"<div>most like <b>{in_html(likeness)}</b></div>")
    model = who(record) if record else prediction.run
    parts.append(f"<div style='{_QUIET}'>predicted by {in_html(model)}</div>")
    return "".join(parts)


def _headline(prediction: Prediction) -> list[str]:
    labels = sorted(prediction.labels, key=lambda name: -prediction.probabilities[name])
    names = [f"{in_html(name)}, {percent(prediction.probabilities[name], 0)}" for name in labels]
    given = "<br>".join(names) or "no label"
    exclusive, said = prediction.task.exclusive, in_html(prediction.statement)
    most = "most probable: " if exclusive else "labels: "
    if prediction.ood:
        why = in_html(f"This image is {unlike(prediction)}: do not rely on the prediction.")
        title = f"<div style='{_large(1.6)}'>{DO_NOT_RELY}</div>{why}"
        members = prediction.members is not None
        return [box(title), f"<b>{said}</b>" * members, f"<div>{most}{given}</div>"]
    if exclusive and prediction.statement != prediction.label:
        return [
            f"<div style='{_large(1.6)}'>{said}</div>",
            f"<div>{most}{given}</div>",
            _set(prediction),
        ]
    parts = [f"<div style='{_large(1.6 if len(labels) < 3 else 1.2)}'>{given}</div>"]
    if not exclusive and prediction.statement != prediction.label:
        parts.append(f"<div style='font-size:1.2em'>{said}</div>")
    return [*parts, _set(prediction)]


def _large(size: float) -> str:
    return f"font-size:{size}em;font-weight:bold;line-height:1.3"


def unlike(prediction: Prediction) -> str:
    """Say which training images an image is unlike."""
    single = prediction.task.exclusive and not prediction.unlike_all
    of = f"the training images of {prediction.label}" if single else "all training images"
    return f"unlike {of}"


def _set(prediction: Prediction) -> str:
    """Say which classes the image may have, where the model has a rule for it."""
    if prediction.members is None or not prediction.task.exclusive:
        return ""
    names = ", ".join(map(in_html, prediction.members)) or "none: it is unlike 95 % of each class"
    return f"<div style='{_QUIET}'>Prediction set (95 %): {names}</div>"


def truth_line(prediction: Prediction, truth: str) -> str:
    """Return as HTML whether a prediction is right."""
    mark, colour = ("✓ right", "#00664B") if truth == prediction.label else ("✗ wrong", "#B00000")
    what = "the true class is" if prediction.task.exclusive else "the true labels are"
    named = in_html(", ".join(prediction.task.labels_of(truth)))
    style = f"border-left:6px solid {colour};padding-left:8px;font-weight:bold"
    return f"<div style='{style}'>{mark}: {what} {named}</div>"


def bars(prediction: Prediction) -> str:
    """Return the probabilities as a table with bars."""
    ordered = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    rows, labels = [], prediction.labels
    # All predicted labels are shown, and as many others as fit.
    shown = ordered[: max(MOST_BARS, len(labels))]
    for name, share in shown:
        colour = "#0072B2" if name in labels else "#9DB4C6"
        bar = f"background:{colour};height:16px;width:{100 * share:.1f}%"
        rows.append(
            "<tr><td style='padding:2px 10px 2px 0;text-align:right;overflow-wrap:anywhere'>"
            f"{in_html(name)}</td>"
            f"<td><div style='background:#ECECEC;width:min({_BAR_PX}px,38vw);position:relative'>"
            f"<div style='{bar}'></div>{_mark(prediction.thresholds.get(name))}</div>"
            "</td><td style='padding:2px 0 2px 10px;text-align:right;white-space:nowrap'>"
            f"{percent(share)}</td></tr>"
        )
    table = f"<table style='margin:10px 0;border-collapse:collapse'>{''.join(rows)}</table>"
    if prediction.thresholds:
        table += f"<div style='{_QUIET}'>A label is given where its bar reaches the mark.</div>"
    return table


def _mark(threshold: float | None) -> str:
    if threshold is None:
        return ""
    place = f"left:{100 * threshold:.1f}%;top:-2px;height:20px;width:2px"
    return f"<div style='position:absolute;background:#222222;{place}'></div>"


def cannot_be_read(prediction: Prediction) -> str:
    """Return as HTML why an image has no prediction."""
    name = in_html(Path(prediction.file).name)
    return box(f"<b>{name}</b> cannot be read: {in_html(prediction.error)}")
