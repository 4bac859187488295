"""How the cells of a summary's tables are written and styled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from gellib.base.markup import in_html
from gellib.base.text import shorten

if TYPE_CHECKING:
    from pandas.io.formats.style_render import CSSDict

# Narrow cells, so that a table of sixteen columns fits on a page.
COMPACT: list[CSSDict] = [
    {"selector": "td", "props": "white-space: nowrap; font-size: 84%; padding: 3px"},
    {"selector": "th", "props": "font-size: 84%; padding: 3px"},
]
# Longer tables are for `results.csv`, which has every run.
MOST_ROWS = 100
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


def by_class_cell(matrix: object, classes: Sequence[str]) -> str:
    """Write how many images of each class are right: `gel 45 of 46`, one line per class.

    Of more than four classes, the figure of the confusion matrices has them.
    """
    if not isinstance(matrix, list) or len(matrix) != len(classes) or len(matrix) > 4:
        return "–"
    return "\n".join(
        f"{shorten(name, 24)} {row[i]} of {sum(row)}"
        for i, (name, row) in enumerate(zip(classes, matrix, strict=True))
    )


def bold_if_alone(column: pd.Series, *, highest: bool) -> list[str]:
    """Style the best value of a column bold where no other row equals it."""
    best = column.max() if highest else column.min()
    alone = (column == best).sum() == 1 and len(column) > 1
    return ["font-weight: bold" if alone and value == best else "" for value in column]


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
