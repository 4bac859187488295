"""Reporting checklists, filled from the records of a run as far as they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import did_you_mean, join_and
from gellib.report.handover.answers import answer
from gellib.report.handover.document import Block, Grid, Heading, Paragraph
from gellib.report.handover.reported import Reported

_FOLDER = Path(__file__).with_name("guidelines")
# In the order in which they are written: of all of science first.
GUIDELINES = ("reforms", "dome", "tripod-ai", "claim")


class GuidelineError(ValueError):
    """There is no such guideline; the message names those that there are."""


@dataclass(frozen=True)
class Item:
    """One item of a guideline.

    Parameters
    ----------
    number
        Its number there, or its name where it has none.
    about
        What it is about, in our words.
    topics
        The topics of `gellib.report.handover.answers` that belong to it.
    question
        What is left for the author; empty where nothing is.
    """

    number: str
    about: str
    topics: tuple[str, ...]
    question: str


@dataclass(frozen=True)
class Guideline:
    """A reporting guideline: name, purpose, where it was published, and its items."""

    title: str
    about: str
    reference: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Row:
    """An item, what the records say about it (Markdown), and the files that this is from."""

    item: Item
    text: str
    files: tuple[str, ...]


def read_guideline(name: str) -> Guideline:
    """Return a guideline by its name.

    Raises
    ------
    GuidelineError
        When there is none.
    """
    if name not in GUIDELINES:
        raise GuidelineError(
            f"guideline: got {name!r}: {did_you_mean(name, GUIDELINES)}Expected one of "
            f"{join_and(GUIDELINES)}"
        )
    return _read(name)


def fill(guideline: Guideline, found: Reported) -> list[Row]:
    """Answer the items of a guideline from the records of a run."""
    rows = []
    for item in guideline.items:
        known = [own for topic in item.topics if (own := answer(found, topic)) is not None]
        files = tuple(dict.fromkeys(own.file for own in known))
        rows.append(Row(item, " ".join(own.text for own in known), files))
    return rows


def checklist(found: Reported, names: Sequence[str] = GUIDELINES) -> list[Block]:
    """Make a document of the checklists of a run.

    Parameters
    ----------
    found
        The run.
    names
        Which guidelines, of `GUIDELINES`.

    Raises
    ------
    GuidelineError
        For an unknown name.
    """
    blocks: list[Block] = [
        Heading(f"Reporting checklist: {in_markdown(found.record.name)}", 1),
        Paragraph(
            "What the records of the run say is filled in, with the file that it is from; the rest "
            "is asked of the author. The items are described in our own words: the guidelines "
            "themselves say what each wants. TRIPOD+AI and CLAIM are for medical studies."
        ),
    ]
    for name in dict.fromkeys(names):
        blocks += _section(read_guideline(name), found)
    return blocks


def _section(guideline: Guideline, found: Reported) -> list[Block]:
    rows = fill(guideline, found)
    filled = sum(bool(row.text) for row in rows)
    asked = sum(bool(row.item.question) for row in rows)
    return [
        Heading(f"{guideline.title}: {guideline.about}"),
        Paragraph(
            f"{guideline.reference}. Of {len(rows)} items, {filled} are filled in from the "
            f"records; {asked} ask something of the author."
        ),
        Grid(("item", "about", "answer", "where"), tuple(map(_cells, rows))),
    ]


def _cells(row: Row) -> tuple[str, ...]:
    question = f"**Author:** {row.item.question}" if row.item.question else ""
    nothing = "" if row.text or question else "**Author:** the records say nothing about it."
    text = " ".join(filter(None, (row.text, question, nothing)))
    return row.item.number, row.item.about, text, ", ".join(map(in_code, row.files))


@cache
def _read(name: str) -> Guideline:
    text = (_FOLDER / f"{name.replace('-', '_')}.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(text)
    items = [Item(str(n), about, tuple(topics), ask) for n, about, topics, ask in found["items"]]
    return Guideline(found["title"], found["about"], found["reference"], tuple(items))
