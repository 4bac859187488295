"""Predictions as HTML: of one image a card, of several a table to download."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from gellib.base.markup import in_html
from gellib.report.thumbnails import preview, thumbnail
from gellib.report.widgets.cards import card
from gellib.report.widgets.heat_map import Overlay
from gellib.report.widgets.image_table import Row, downloads, image_table
from gellib.report.widgets.messages import box
from gellib.runs import Record
from gellib.training_run.predictor import ImageSource, Prediction
from gellib.training_run.training_images import training_note

# Jupyter drops a message to the browser of more than 3 MB, and a page to save is in it too: a row
# takes at most 22 kB.
MOST_SHOWN = 100


def show_predictions(
    predictions: Sequence[Prediction],
    sources: Sequence[ImageSource],
    *,
    record: Record | None,
    about: str,
    truth: str = "",
    overlays: Sequence[Overlay | None] = (),
) -> str:
    """Return predictions as HTML.

    Parameters
    ----------
    predictions
        One or more.
    sources
        Their images.
    record
        Record of the run that trained the model; None for the model without training.
    about
        What the model is, as HTML, for the page to download.
    truth
        The true label of a single image, where it is known.
    overlays
        Heat maps of the first images, where asked for.
    """
    note = training_note(predictions)
    said = box(in_html(f"{note[0].upper()}{note[1:]}.")) if note else ""
    if len(predictions) == 1:
        overlay = overlays[0] if overlays else None
        image = preview(sources[0])
        return said + card(predictions[0], image, record=record, truth=truth, overlay=overlay)
    shown = predictions[:MOST_SHOWN]
    overlays = overlays[: len(shown)]
    rows = [
        Row(p, thumbnail(source), overlay)
        for p, source, overlay in zip_longest(shown, sources[: len(shown)], overlays)
    ]
    table = image_table(rows)
    rest = len(predictions) - len(shown)
    if rest:
        table += box(f"{rest} more are not shown; the CSV file has all of them.")
    return said + downloads(predictions, about, said + table) + table
