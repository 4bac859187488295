"""How the cells of a summary's tables are written and styled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from gellib.base.markup import in_html

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict

# Narrow cells, so that a table of thirteen columns fits on a page.
COMPACT: list[CSSDict] = [
    {"selector": "td", "props": "white-space: nowrap; font-size: 90%; padding: 3px 6px"},
    {"selector": "th", "props": "font-size: 90%; padding: 3px 6px"},
]
SHADED = {"background-color": "#FCE9C0", "color": "#222"}


def styled(table: pd.DataFrame, name: str) -> Styler:
    """Style a table whose cells and headings may come from outside: shown, never run as HTML.

    A formatter set on it later replaces the escaping of its cells: `formatter` escapes too.
    """
    # pandas escapes texts alone, so that a list of names would stand as it is.
    table = table.apply(lambda column: column.map(_text) if column.dtype == object else column)
    shown = table.style.hide(axis="index").set_uuid(name)
    shown = shown.format(escape="html").format_index(axis="columns", escape="html")
    # No typesetting of a name such as `5$ to 9$` as a formula.
    return shown.set_table_attributes('class="tex2jax_ignore mathjax_ignore"')


def _text(value: object) -> object:
    return value if value is None or isinstance(value, (str, int, float, np.number)) else str(value)


def formatter(write: Callable[[float], str]) -> Callable[[object], str]:
    """Make a formatter of a table's cells from a function that writes numbers."""

    def write_cell(value: object) -> str:
        return write(float(value)) if isinstance(value, (int, float, np.number)) else in_html(value)

    return write_cell


def interval_cell(low: float, high: float) -> str:
    """Write an interval of shares (0..1) in percent: `82–97 %`; a dash where there is none."""
    return f"{100 * low:.0f}–{100 * high:.0f} %" if low == low else "–"


def matrix_cell(matrix: object) -> str:
    """Write a confusion matrix; of one with more than four classes, its size."""
    # A larger one would be wider than the page; the figure of the best model shows one.
    if not isinstance(matrix, list):
        return "–"
    return str(matrix) if len(matrix) <= 4 else f"{len(matrix)} × {len(matrix)}"


def p_cell(value: float) -> str:
    """Write a p-value with three decimals."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.995 else "1"


def signed_cell(value: float) -> str:
    """Write a difference of shares (0..1) in percentage points: `+5.0`."""
    # Rounded first: no minus before a zero.
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−") if np.isfinite(value) else "–"


def change_cell(change: float, factor: float, digits: int) -> str:
    """Write `factor` times a change, in brackets on a line of its own, with `digits` decimals."""
    if pd.isna(change):
        return ""
    return f"\n({factor * change:+.{digits}f})".replace("-", "−")
