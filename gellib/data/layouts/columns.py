"""Which columns of a table are the files, labels, splits and groups."""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable

import pandas as pd

from gellib.base.text import quote_some
from gellib.data.imageset import DatasetError
from gellib.data.tables import Table, one_line

# Names of columns in other data sets; letter case does not matter.
COLUMN_ALIASES = {
    "file": ("file", "filename", "file_name", "image", "path", "name", "id", "image_id"),
    "label": ("label", "labels", "class", "target", "category"),
    "split": ("split", "set", "part", "partition"),
    "group": ("group", "groups", "patient", "patient_id", "subject", "subject_id"),
}
EXPECTED_COLUMNS = "Expected the columns file,label[,split][,group]."
# Rows of which the files are looked for to choose among columns; no benchmark set it.
_LOOKED_AT = 200


def our_columns(table: Table, is_image: Callable[[str], bool]) -> pd.DataFrame:
    """Return the columns `file`, `label`, `split` and `group` of a table, as text.

    Of several columns that may name the files (`id`, `image_id`), the one that does is taken.

    Parameters
    ----------
    table
        The table.
    is_image
        Whether a cell names an image of the data set.

    Raises
    ------
    DatasetError
        For missing or misspelt columns, and for line breaks in the cells.
    """
    path, names = table.path, table.columns
    plain = [_plain(name) for name in names]
    result, used = pd.DataFrame(index=range(len(table.rows))), set()
    for ours, aliases in COLUMN_ALIASES.items():
        found = [plain.index(alias) for alias in aliases if alias in plain]
        if ours == "file" and len(found) > 1:
            found.sort(key=lambda place: -_count_images(table, place, is_image))  # stable
        if found:
            cells = [one_line(row.cells[found[0]], row, path) for row in table.rows]
            result[ours] = pd.Series(cells, dtype=object)
            used.add(found[0])
    # An unnamed column is the row number that pandas writes.
    extra = [
        name
        for i, name in enumerate(names)
        if i not in used and name and not name.startswith("Unnamed:")
    ]
    lacking = [name for name in COLUMN_ALIASES if name not in result]
    for name in extra:
        near = difflib.get_close_matches(name.casefold(), lacking, n=1, cutoff=0.7)
        if near:
            raise DatasetError(
                f"{path}: got an unknown column {name!r}; did you mean {near[0]!r}? "
                f"{EXPECTED_COLUMNS} Rename the column, or remove it."
            )
    if "file" in lacking or "label" in lacking:
        need = " and ".join(repr(name) for name in ("file", "label") if name in lacking)
        raise DatasetError(
            f"{path}: got the columns {quote_some(names, 20)}, without {need}. {EXPECTED_COLUMNS} "
            f"{_advice(names, is_image)}"
        )
    if extra:
        warnings.warn(f"{path}: the columns {quote_some(extra, 20)} are not used", stacklevel=5)
    for name in ("split", "group"):
        if name in lacking:
            result[name] = ""
    return result


def _advice(names: tuple[str, ...], is_image: Callable[[str], bool]) -> str:
    if any(is_image(name) for name in names):
        return "The first row is of an image: put the names of the columns above it."
    known = {alias for aliases in COLUMN_ALIASES.values() for alias in aliases}
    words = set(re.split(r"[^a-z_]+", " ".join(names).casefold()))
    if len([name for name in names if name]) == 1 and len(words & known) > 1:
        return (
            "The row is one cell: separate its cells by a comma, semicolon or tab, and put no "
            "quotes around whole rows."
        )
    return "Rename the columns."


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip("\ufeff\u200b ").casefold())


def _count_images(table: Table, place: int, is_image: Callable[[str], bool]) -> int:
    step = max(1, len(table.rows) // _LOOKED_AT)
    return sum(is_image(row.cells[place]) for row in table.rows[::step])
