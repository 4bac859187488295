"""The commands for what a run is handed over with: card, methods, checklist."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from gellib.base.paths import shown_path
from gellib.cli.shared import READING, Command, says_if_slow

_OUT = click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write a .md, .html or .docx file instead of printing.",
)


@click.command(cls=Command)
@click.argument("run", type=click.Path(), metavar="RUN")
@_OUT
@says_if_slow(READING)
def card(run: str, out: str | None) -> None:
    """Describe a model: data, scores, what it must not be used for.

    RUN is the folder of a run, or of a sweep: then its best model.

    \b
    gellib card runs/mine
    gellib card runs/mine --out card.docx
    """
    from gellib.report.handover import model_card

    _give(model_card(run), out)


@click.command(cls=Command)
@click.argument("run", type=click.Path(), metavar="RUN")
@_OUT
@click.option(
    "--bib",
    type=click.Path(dir_okay=False),
    help="Write the references to a BibTeX file of their own, such as gellib.bib.",
)
@says_if_slow(READING)
def methods(run: str, out: str | None, bib: str | None) -> None:
    """Write a methods paragraph for a manuscript, with its references.

    RUN is the folder of a run, or of a sweep: then its best model. Each number is from the records.

    \b
    gellib methods runs/mine
    gellib methods runs/mine --out methods.docx --bib gellib.bib
    """
    from pathlib import Path

    from gellib.base.files import write_text
    from gellib.report.handover import Reported, write_methods
    from gellib.report.handover.references import check_bibliography

    if bib:
        check_bibliography(Path(bib))
    found = write_methods(Reported.find(run))
    _give(found.blocks(with_bibliography=not bib), out)
    if bib:
        write_text(Path(bib), found.bibliography())
        click.echo(f"wrote {shown_path(bib)}", err=True)


@click.command(cls=Command)
@click.argument("run", type=click.Path(), metavar="RUN")
@_OUT
@click.option(
    "--only",
    "names",
    multiple=True,
    metavar="GUIDELINE",
    help="reforms, dome, tripod-ai or claim; may be repeated. [default: all]",
)
@says_if_slow(READING)
def checklist(run: str, out: str | None, names: tuple[str, ...]) -> None:
    """Fill reporting checklists from the records: REFORMS, DOME, TRIPOD+AI, CLAIM.

    RUN is the folder of a run, or of a sweep: then its best model. What the records do not say is
    asked of the author.

    \b
    gellib checklist runs/mine --only reforms
    gellib checklist runs/mine --out checklist.docx
    """
    from gellib.report.handover import GUIDELINES, Reported
    from gellib.report.handover import checklist as fill

    _give(fill(Reported.find(run), names or GUIDELINES), out)


def _give(blocks: Sequence[Any], out: str | None) -> None:
    """Print a document as Markdown, or write it to a file."""
    from gellib.base.markup import without_entities
    from gellib.report.handover import to_markdown, write_document

    if out is None:
        text = to_markdown(blocks)
        # A person reads it in a terminal; elsewhere it may become a page.
        click.echo(without_entities(text) if sys.stdout.isatty() else text, nl=False)
    else:
        click.echo(f"wrote {shown_path(write_document(blocks, out))}", err=True)
