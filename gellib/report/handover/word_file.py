"""Documents as Word files, by python-docx: the one place that knows of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gellib.base.files import atomic_path
from gellib.base.markup import as_plain
from gellib.report.handover.document import (
    Block,
    Bullets,
    DocumentError,
    Grid,
    Heading,
    Paragraph,
)

_INSTALL = "pip install 'gellib[docx]', or write .html, which Word opens too"
_PARTS = re.compile(r"(\*\*.+?\*\*|`.+?`|<code>.*?</code>)")
_MONOSPACED = "Courier New"
_WIDTH_CM = 16.5
_LETTER_CM, _LONGEST_WORD = 0.19, 16  # at 9 points; longer words are broken


def write_word_file(blocks: Sequence[Block], path: str | Path) -> None:
    """Write a document as a Word file.

    Raises
    ------
    DocumentError
        When python-docx is not installed.
    """
    try:
        import docx
    except ImportError as err:
        raise DocumentError(f"{path}: needs python-docx: {_INSTALL}") from err
    document: Any = docx.Document()
    about = document.core_properties
    about.title = next((as_plain(b.text) for b in blocks if isinstance(b, Heading)), "")
    about.author, about.comments = "gellib", ""
    about.created = about.modified = datetime.now(timezone.utc)
    for section in document.sections:
        section.left_margin = section.right_margin = docx.shared.Cm(2.2)
    for block in blocks:
        _add(document, block)
    with atomic_path(Path(path)) as partial:
        document.save(str(partial))


def _add(document: Any, block: Block) -> None:
    if isinstance(block, Heading):
        document.add_heading(as_plain(block.text), level=block.level - 1)
    elif isinstance(block, Bullets):
        for item in block.items:
            _fill(document.add_paragraph(style="List Bullet"), item)
    elif isinstance(block, Grid):
        _add_grid(document, block)
    elif isinstance(block, Paragraph):
        _fill(document.add_paragraph(), block.text)
    else:
        run = document.add_paragraph().add_run(block.text.rstrip())
        run.font.name, run.font.size = _MONOSPACED, _points(8.5)


def _add_grid(document: Any, grid: Grid) -> None:
    from docx.oxml import OxmlElement
    from docx.shared import Cm

    table = document.add_table(rows=1, cols=len(grid.header))
    table.style = "Table Grid"
    table.autofit = False
    # On each page that a long table goes on to.
    repeated = OxmlElement("w:tblHeader")
    table.rows[0]._tr.get_or_add_trPr().append(repeated)
    widths = _widths(grid)
    for row in (grid.header, *grid.rows):
        cells = table.rows[0].cells if row is grid.header else table.add_row().cells
        for cell, text, width in zip(cells, row, widths, strict=True):
            cell.width = Cm(width)
            _fill(cell.paragraphs[0], f"**{text}**" if row is grid.header and text else text, 9)


def _widths(grid: Grid) -> list[float]:
    """Share the width of the page, in cm, so that long words fit and long texts get most."""
    columns = zip(*((as_plain(c) for c in row) for row in (grid.header, *grid.rows)), strict=True)
    least, wanted = [], []
    for column in columns:
        words = [len(word) for text in column for word in re.split(r"[\s/_-]", text)]
        least.append(0.4 + _LETTER_CM * min(max(words), _LONGEST_WORD))
        wanted.append(max(sum(map(len, column)) / len(column), 1.0) ** 0.8)
    spare = max(_WIDTH_CM - sum(least), 0.0)
    return [own + spare * want / sum(wanted) for own, want in zip(least, wanted, strict=True)]


def _fill(paragraph: Any, text: str, size: float | None = None) -> None:
    """Add the runs of a sentence: bold, code and plain."""
    for part in filter(None, _PARTS.split(text)):
        run = paragraph.add_run(as_plain(part))
        run.bold = part.startswith("**") or None
        if part.startswith(("`", "<code>")):
            run.font.name = _MONOSPACED
        if size:
            run.font.size = _points(size)


def _points(size: float) -> Any:
    from docx.shared import Pt

    return Pt(size)
