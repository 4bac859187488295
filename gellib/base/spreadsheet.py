"""Cells that a spreadsheet would run as formulas, written so that it shows them as text.

`=cmd|...` as the name of a class or file stands in a CSV file as `'=cmd|...`: an apostrophe in
front, which `from_cell` takes off again. Numbers stay as they are.
"""

from __future__ import annotations

import re

# What begins a formula in Excel, LibreOffice or Google Sheets, behind apostrophes of its own.
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"'*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?%?")


def to_cell(text: str) -> str:
    """Write a text so that no spreadsheet runs it."""
    return f"'{text}" if _runs(text) else text


def from_cell(text: str) -> str:
    """Read back what `to_cell` wrote."""
    return text[1:] if text.startswith("'") and _runs(text) else text


def _runs(text: str) -> bool:
    return _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None
