"""`classes.csv` (`.tsv`, `.xlsx`): names of classes that a table gives as numbers or codes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gellib.base.text import quote_some
from gellib.data.imageset import DatasetError, sort_classes
from gellib.data.tables import find_table, one_line, read_table

_EXPECTED = "Expected two columns, `label` as in the table of images and `name`, one row per class."


def class_names_file(root: Path) -> Path | None:
    """Find the `classes.csv` in the folder of a table of images."""
    return find_table(root, "classes")


def name_classes(root: Path, labels: list[list[str]]) -> tuple[list[list[str]], tuple[str, ...]]:
    """Replace labels by the names in `classes.csv`, if it is there; return the classes in order.

    Without the file, labels are names, sorted by the numbers in them; with it, they have its order.
    Labels that are names already are kept.

    Raises
    ------
    DatasetError
        If `classes.csv` is invalid, or lacks a label.
    """
    used = sort_classes(name for names in labels for name in names)
    path = class_names_file(root)
    if path is None:
        return labels, used
    names = _read(path)
    lacking = [label for label in used if label not in names and label not in names.values()]
    if lacking:
        raise DatasetError(
            f"{path}: got no name for {quote_some(lacking)}. Expected one for every label of the "
            "images. Add rows, or remove the file."
        )
    named = [[names.get(label, label) for label in own] for own in labels]
    present = {name for own in named for name in own}
    return named, tuple(name for name in names.values() if name in present)


def _read(path: Path) -> dict[str, str]:
    table = read_table(path)
    header = [cell.casefold() for cell in table.columns]
    if sorted(header) != ["label", "name"]:
        got = list(table.columns) or ""
        raise DatasetError(f"{path}: got the first row {got!r}. {_EXPECTED}")
    label, name = header.index("label"), header.index("name")
    rows = [[one_line(cell, row, path) for cell in row.cells] for row in table.rows]
    names = {row[label]: row[name] for row in rows}
    if len(set(names.values())) < len(rows) or "" in (*names, *names.values()):
        raise DatasetError(f"{path}: got empty or repeated labels or names. {_EXPECTED}")
    return names


def with_names(root: Path, tables: Iterable[Path]) -> list[Path]:
    """List the files that the labels come from: the tables and `classes.csv`."""
    names = class_names_file(root)
    return [*tables, *([names] if names else [])]
