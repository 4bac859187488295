"""The one reader of tables that a person may save: labels, classes, decisions, splits.

Text in any usual encoding, with commas, semicolons or tabs, or a workbook of Excel.
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from gellib.base.decoding import UndecodableTextError, decode_text
from gellib.base.spreadsheet import from_cell
from gellib.base.text import shorten
from gellib.data.imageset import DatasetError
from gellib.data.workbook import WORKBOOK, is_workbook, read_workbook

SEPARATORS = ",;\t"
ENDINGS = (".csv", ".tsv", WORKBOOK)
_SEP_LINE = re.compile(r'^"?sep=(.)"?[,;\t]*$', re.IGNORECASE)
_LOOKED_AT = 50  # rows that the separator is found in
_SAVE_AGAIN = "Save it again as CSV UTF-8."


@dataclass(frozen=True)
class Row:
    """One row: its number as a spreadsheet shows it, and its cells, without space around them."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table as it was saved: the names of its columns, and its rows, each as long as these."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def find_table(root: Path, name: str) -> Path | None:
    """Find the table `name` in a folder: `.csv`, else `.tsv`, else `.xlsx`; case does not matter.

    Others of the name are not read, which a warning says.
    """
    found = find_tables(root, (name,))
    if len(found) > 1:
        others = ", ".join(path.name for path in found[1:])
        warnings.warn(f"{found[0]} is read, and not {others} beside it", stacklevel=2)
    return found[0] if found else None


def find_tables(root: Path, names: tuple[str, ...]) -> list[Path]:
    """List the tables of a folder that have one of these names, those with `.csv` first."""
    found = []
    for file in sorted(os.listdir(root)) if root.is_dir() else ():
        stem, ending = os.path.splitext(file.casefold())
        if stem in names and ending in ENDINGS and (root / file).is_file():
            found.append((ENDINGS.index(ending), file))
    return [root / file for _, file in sorted(found)]


def read_table(path: Path) -> Table:
    """Read a table; empty rows are left out, and empty cells behind the last column.

    Parameters
    ----------
    path
        The file; an empty one is a table without columns.

    Raises
    ------
    DatasetError
        For a file that cannot be opened or is no text; for quotes that do not close; for rows of
        another length than the first, which are named.
    """
    rows = read_rows(path)
    if not rows:
        return Table(path, (), ())
    header = rows[0].cells
    # Spreadsheets write empty columns behind the last one that was ever filled.
    width = max(_filled(header), *(min(_filled(row.cells), len(header)) for row in rows))
    columns, even = header[:width], []
    for row in rows[1:]:
        cells = row.cells
        if len(cells) > len(columns) and not any(cells[len(columns) :]):
            cells = cells[: len(columns)]
        if len(cells) != len(columns):
            raise DatasetError(
                f"{path}: got {len(cells)} cells in row {row.number}. Expected "
                f"{len(columns)}, as in the first row. Put quotes around cells that hold a "
                "separator."
            )
        if [_bare(cell) for cell in cells] == [_bare(cell) for cell in columns]:
            raise DatasetError(
                f"{path}: got the names of the columns again in row {row.number}, as where two "
                "tables were joined. Expected them in the first row alone. Remove the row."
            )
        even.append(Row(row.number, cells))
    return Table(path, columns, tuple(even))


def _bare(cell: str) -> str:
    return cell.strip("\ufeff\u200b").casefold()


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a table that are not empty, of any length.

    Raises
    ------
    DatasetError
        As `read_table`, but for the length of rows.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise DatasetError(
            f"{path}: cannot be opened: {err.strerror}. Close it in other programs, or correct "
            "its permissions."
        ) from err
    if is_workbook(path, data):
        grid = read_workbook(path, data)
    else:
        try:
            text = decode_text(data)
        except UndecodableTextError as err:
            raise DatasetError(f"{path}: got {err}. Expected a table. {_SAVE_AGAIN}") from err
        grid = _parse(text, path)
    rows = [Row(number, tuple(from_cell(cell.strip()) for cell in cells)) for number, cells in grid]
    return [row for row in rows if any(row.cells)]


def one_line(cell: str, row: Row, path: Path) -> str:
    """Return a cell that is used, which must be one line.

    Raises
    ------
    DatasetError
        If a line break is in it, which is what a quote in a wrong place makes.
    """
    if "\n" in cell or "\r" in cell:
        raise DatasetError(
            f"{path}: got a line break in a cell of row {row.number}: "
            f"{shorten(cell, 60)!r}. Expected one line. Is a quote missing or too many there? "
            "Correct the row."
        )
    return cell


def _parse(text: str, path: Path) -> list[tuple[int, list[str]]]:
    lines = text.split("\n")
    given = _SEP_LINE.match(lines[0].strip(" ")) if lines else None
    if given:  # Excel hides this line and does not count it
        lines = lines[1:]
    separator = given.group(1) if given else _find_separator(lines, path)
    rows, at = [], 0
    while at < len(lines):
        number = at + 1
        if '"' in lines[at]:
            cells, at = _quoted(lines, at, separator, path)
        else:
            cells = lines[at].split(separator)
        rows.append((number, cells))
        at += 1
    return rows


def _find_separator(lines: list[str], path: Path) -> str:
    """Choose what the first row has most of, of those that every row has equally often if any."""
    filled = [line for line in lines if line.strip()][:_LOOKED_AT]
    if not filled:
        return ","
    counts = {one: [_outside_quotes(line).count(one) for line in filled] for one in SEPARATORS}
    even = [one for one, own in counts.items() if own[0] and len(set(own)) == 1]
    if path.suffix.casefold() == ".tsv" and counts["\t"][0]:
        return "\t"
    return max(even or SEPARATORS, key=lambda one: counts[one][0])


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _quoted(lines: list[str], at: int, separator: str, path: Path) -> tuple[list[str], int]:
    """Read a row that has quotes, with the lines that it runs on for; return where it ends."""
    cells, line, place = [], lines[at], 0
    while True:
        start = place
        while line[place : place + 1] == " ":
            place += 1
        if line[place : place + 1] != '"':
            end = line.find(separator, start)
            cell = line[start:] if end < 0 else line[start:end]
            if '"' in cell:
                raise _quote_error(path, at, "a quote in the middle of a cell")
            place = len(line) if end < 0 else end
        else:
            first, place, cell = at, place + 1, ""
            while True:
                end = line.find('"', place)
                if end < 0:
                    cell += line[place:] + "\n"
                    at, place = at + 1, 0
                    if at == len(lines):
                        raise _quote_error(path, first, "a quote that is never closed")
                    line = lines[at]
                elif line[end + 1 : end + 2] == '"':
                    cell, place = cell + line[place : end + 1], end + 2
                else:
                    cell, place = cell + line[place:end], end + 1
                    break
            while line[place : place + 1] == " ":
                place += 1
            if line[place : place + 1] not in ("", separator):
                where = "closed in its row" if at > first else "at the end of its cell"
                raise _quote_error(path, first, f"a quote that is not {where}")
        cells.append(cell)
        if place >= len(line):
            return cells, at
        place += 1  # the separator; a cell follows it, if only an empty one


def _quote_error(path: Path, at: int, what: str) -> DatasetError:
    return DatasetError(
        f'{path}: got {what} (") in row {at + 1}. Expected quotes around a whole cell, with those '
        "inside it doubled. Remove the quote, or close it."
    )


def _filled(cells: tuple[str, ...]) -> int:
    """Count the cells up to the last one that is not empty."""
    return max((place for place, cell in enumerate(cells, 1) if cell), default=0)
