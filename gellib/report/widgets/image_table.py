"""Several predictions as a table: in the form, as CSV, and as a page that needs no other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Template

from gellib.base.files import csv_text
from gellib.base.markup import in_html
from gellib.plots.base import percent
from gellib.report.thumbnails import SMALL_PX, data_link, image_tag
from gellib.report.widgets.cards import DO_NOT_RELY, bars, unlike
from gellib.report.widgets.heat_map import Overlay
from gellib.training_run.prediction import Prediction, predictions_table

PAGE = Template(
    """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Predictions</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.4 system-ui, sans-serif; color: #222; max-width: 1000px; margin: 32px auto;
  padding: 0 16px; }
</style></head><body>
<h1>Predictions</h1>
{{ about }}
{{ table }}
</body></html>
"""
)


@dataclass(frozen=True)
class Row:
    """One image of the table; `image` is a small picture of it."""

    prediction: Prediction
    image: bytes = b""
    overlay: Overlay | None = None


def image_table(rows: Sequence[Row]) -> str:
    """Return predictions as an HTML table, one row per image, in the order of the images."""
    body = "".join(map(_row, rows))
    heads = "".join(
        f"<th scope='col' style='{_CELL};text-align:left'>{text}</th>"
        for text in ("Image", "File", "What can be said", "Most probable")
    )
    return (
        "<div style='overflow-x:auto;line-height:1.4'>"
        "<table style='border-collapse:collapse;margin:8px 0'>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_CELL = "padding:6px 14px 6px 0;vertical-align:top;border-bottom:1px solid #BBBBBB"


def _row(row: Row) -> str:
    p = row.prediction
    name = Path(p.file).name
    shown = image_tag(row.image, f"The image {name}", SMALL_PX)
    if row.overlay is not None:
        shown += row.overlay.tag(name, SMALL_PX)
    if p.error:
        said, probable = f"<b>cannot be read</b>: {in_html(p.error)}", ""
    else:
        said, probable = _said(p), _probable(p)
    cells = (
        f"<div style='display:flex;gap:4px'>{shown}</div>",
        f"<div style='overflow-wrap:anywhere;min-width:4.5em'>{in_html(name)}</div>",
        said,
        probable,
    )
    return "<tr>" + "".join(f"<td style='{_CELL}'>{cell}</td>" for cell in cells) + "</tr>"


def _said(p: Prediction) -> str:
    statement = in_html(p.statement or "no label")
    if p.trained_on:
        return f"<b>{statement}</b><br>a training image: no test"
    if not p.ood:
        return f"<b>{statement}</b>"
    style = "font-weight:bold;font-size:1.2em;color:#B00000;background:#FFF1E6;padding:0 6px"
    return f"<span style='{style}'>{DO_NOT_RELY}</span><br>{in_html(unlike(p))}"


def _probable(p: Prediction) -> str:
    named = [f"{in_html(name)}, {percent(p.probabilities[name], 0)}" for name in p.labels]
    given = "<br>".join(named) or "no label"
    return f"<details><summary>{given}</summary>{bars(p)}</details>"


def downloads(predictions: Sequence[Prediction], about: str, table: str) -> str:
    """Return links that save the predictions as CSV, and the table as a page.

    Parameters
    ----------
    predictions
        All predictions, also those that the table does not show.
    about
        What the model is, as HTML.
    table
        The table, as HTML.
    """
    classes = list(dict.fromkeys(name for p in predictions for name in p.probabilities))
    # With a byte order mark, or a spreadsheet takes names with accents for other characters.
    values = csv_text(predictions_table(predictions, classes)).encode("utf-8-sig")
    page = PAGE.render(about=about, table=table).encode("utf-8")
    links = (
        ("predictions.csv", "Download as CSV", data_link(values, "text/csv")),
        ("predictions.html", "Download as a page", data_link(page, "text/html")),
    )
    return "<p>" + " · ".join(
        f"<a download='{file}' href='{link}' style='text-decoration:underline'>{text}</a>"
        for file, text, link in links
    ) + "</p>"  # fmt: skip
