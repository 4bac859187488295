"""Short documents (cards, paragraphs, checklists) as Markdown, HTML or a Word file.

The texts of a document are sentences with Markdown's bold and code, in which names from outside
went through `gellib.base.markup`; each form shows them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gellib.base.files import write_text
from gellib.base.markup import as_html, as_plain, in_html, with_backticks
from gellib.base.text import join_and

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60em; margin: 2em auto;
  padding: 0 1em; overflow-wrap: break-word; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { border: 1px solid #CCC; padding: .3em .6em; text-align: left; vertical-align: top; }
th { background: #F3F8FC; }
td code { overflow-wrap: anywhere; } td:nth-child(4) { min-width: 10em; }
pre { background: #F6F6F6; padding: 1em; white-space: pre-wrap; font-size: .85em; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 1.6em; }
"""


class DocumentError(ValueError):
    """A document cannot be written; the message says why and what to do."""


@dataclass(frozen=True)
class Heading:
    """A heading of level 1 (the title), 2 or 3."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table with a row of headings."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Verbatim:
    """Lines that are shown as they are, such as BibTeX; no markup is read in them."""

    text: str


Block = Heading | Paragraph | Bullets | Grid | Verbatim


def to_markdown(blocks: Sequence[Block]) -> str:
    """Write a document as Markdown."""
    return "\n\n".join(map(_markdown, blocks)) + "\n"


def to_html(blocks: Sequence[Block]) -> str:
    """Write a document as the inside of a page or of a notebook's output."""
    return "\n".join(map(_html, blocks))


def to_page(blocks: Sequence[Block]) -> str:
    """Write a document as an HTML page that needs no other file."""
    title = next((as_plain(b.text) for b in blocks if isinstance(b, Heading)), "")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{in_html(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{to_html(blocks)}\n</body></html>\n"
    )


def write_document(blocks: Sequence[Block], path: str | Path) -> Path:
    """Write a document in the form that the file's suffix names: `.md`, `.html` or `.docx`.

    Raises
    ------
    DocumentError
        For another suffix, and for `.docx` without python-docx.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".docx":
        from gellib.report.handover.word_file import write_word_file

        write_word_file(blocks, path)
    elif suffix in _FORMS:
        write_text(path, _FORMS[suffix](blocks))
    else:
        known = join_and([".md", ".html", ".docx"])
        raise DocumentError(f"{path}: got the suffix {suffix!r}, expected one of {known}")
    return path


def _markdown(block: Block) -> str:
    if isinstance(block, Verbatim):
        ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
        return f"{ticks}\n{block.text.rstrip()}\n{ticks}"
    return with_backticks(_text(block))


def _text(block: Heading | Paragraph | Bullets | Grid) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Bullets):
        return "\n".join(f"- {item}" for item in block.items)
    if isinstance(block, Grid):
        lines = [block.header, ("-",) * len(block.header), *block.rows]
        return "\n".join(f"| {' | '.join(cell or ' ' for cell in line)} |" for line in lines)
    return block.text


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{as_html(block.text)}</h{block.level}>"
    if isinstance(block, Bullets):
        return f"<ul>{''.join(f'<li>{as_html(item)}</li>' for item in block.items)}</ul>"
    if isinstance(block, Grid):
        head = "".join(f"<th>{as_html(cell)}</th>" for cell in block.header)
        rows = "".join(
            f"<tr>{''.join(f'<td>{as_html(cell)}</td>' for cell in row)}</tr>\n"
            for row in block.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table>"
    if isinstance(block, Verbatim):
        return f"<pre>{in_html(block.text)}</pre>"
    return f"<p>{as_html(block.text)}</p>"


_FORMS = {".md": to_markdown, ".html": to_page, ".htm": to_page}
