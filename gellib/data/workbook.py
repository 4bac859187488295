"""Tables in workbooks of Excel, read by openpyxl."""

from __future__ import annotations

import datetime
import io
import re
import warnings
from pathlib import Path
from typing import Any

from gellib.data.imageset import DatasetError

WORKBOOK = ".xlsx"
_MOST_ROWS = 2_000_000  # of a sheet whose far cell someone once coloured


def is_workbook(path: Path, data: bytes) -> bool:
    """Whether a file is a workbook, by its first bytes: a name may be wrong."""
    return data.startswith(b"PK\x03\x04") or path.suffix.casefold() == WORKBOOK


def read_workbook(path: Path, data: bytes) -> list[tuple[int, list[str]]]:
    """Read the rows of the first sheet that has any, with their numbers.

    Raises
    ------
    DatasetError
        If openpyxl is missing, the file is damaged or has a password, or a cell holds an error.
    """
    try:
        import openpyxl
    except ModuleNotFoundError as err:
        raise DatasetError(
            f"{path}: reading a workbook of Excel needs openpyxl. Expected it to be installed. "
            "Run: pip install 'gellib[excel]', or save the table as CSV UTF-8."
        ) from err
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that openpyxl leaves out
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = [(sheet, _rows(sheet, path)) for sheet in book.worksheets]
    except DatasetError:
        raise
    except Exception as err:  # zipfile, XML and openpyxl raise many kinds
        raise DatasetError(
            f"{path}: cannot be read as a workbook of Excel: it is damaged, of the old kind (.xls) "
            "or has a password. Expected .xlsx. Save the table again as CSV UTF-8."
        ) from err
    filled = [(sheet, rows) for sheet, rows in sheets if rows]
    # A hidden sheet is of the past, and one of a single column holds remarks.
    filled.sort(key=lambda own: (own[0].sheet_state != "visible", len(own[1][0][1]) < 2))
    if not filled:
        return []
    (used, rows), *others = filled
    if others:
        names = [sheet.title for sheet, _ in others]
        warnings.warn(f"{path}: the sheet {used.title!r} is read, and not {names}", stacklevel=4)
    if any("" in texts for _, texts in rows):
        _refuse_uncomputed(path, data, used.title)
    return rows


def _refuse_uncomputed(path: Path, data: bytes, title: str) -> None:
    """Refuse a sheet with formulas that no program has computed yet: their cells look empty."""
    import openpyxl

    values, formulas = (
        openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=only)[title]
        for only in (True, False)
    )
    pairs = zip(values.iter_rows(), formulas.iter_rows(), strict=True)
    for number, (row, own) in enumerate(pairs, 1):
        for cell, formula in zip(row, own, strict=False):
            if cell.value is None and formula.value is not None:
                raise DatasetError(
                    f"{path}: got a formula without a value in row {number}: "
                    f"{str(formula.value)[:60]}. Expected values. Open the workbook in Excel and "
                    "save it, or save the table as CSV UTF-8."
                )


def _rows(sheet: Any, path: Path) -> list[tuple[int, list[str]]]:
    rows = []
    sheet.reset_dimensions()  # what other programs write there is often wrong
    for number, cells in enumerate(sheet.iter_rows(max_row=_MOST_ROWS), 1):
        texts = [_text(cell) for cell in cells]
        broken = [text for text in texts if text.startswith("#") and text.endswith(("!", "?"))]
        if broken:
            raise DatasetError(
                f"{path}: got the error {broken[0]} in row {number}. Expected values. Correct the "
                "formula in the workbook."
            )
        if any(texts):
            rows.append((number, texts))
    width = max((len(texts) for _, texts in rows), default=0)
    return [(number, texts + [""] * (width - len(texts))) for number, texts in rows]


def _text(cell: Any) -> str:
    """Write a cell as the sheet shows it: whole numbers without `.0`, with their zeros in front."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and re.fullmatch("0{2,}", cell.number_format or ""):
        return f"{value:0{len(cell.number_format)}d}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return str(value)
