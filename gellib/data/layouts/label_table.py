"""Layout 3: `labels.csv` (or `.tsv`, `.xlsx`), with the columns `file,label[,split][,group]`."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd

from gellib.base.text import JOIN, join_some, quote_some
from gellib.data.imageset import (
    SPLITS,
    DatasetError,
    ImageSet,
    make_imageset,
)
from gellib.data.layouts.class_names import name_classes, with_names
from gellib.data.layouts.columns import EXPECTED_COLUMNS, our_columns
from gellib.data.layouts.file_finder import FileFinder
from gellib.data.layouts.folders import SPLIT_NAMES
from gellib.data.tables import find_tables, read_table
from gellib.evaluation.task import task_of_labels

_SHOWN = 5  # files in a message


def load_labels(path: Path) -> ImageSet:
    """Read a `labels.csv`, as `read_table` reads it; files are relative to its folder.

    A file may be named without its extension or folder if that identifies one image. Several
    labels of one image are separated by `|`. They may also be separated by spaces if all words are
    numbers or are labels of other images by themselves, so that `not gel` stays one name. Rows
    that repeat another one are dropped with a warning. A `classes.csv` in the same folder may give
    the labels names.

    Raises
    ------
    DatasetError
        For missing columns, files that do not exist, empty labels, unknown splits and rows that
        contradict each other.
    """
    return _make(_read(path), path, [path])


def find_partition(root: Path) -> dict[str, Path]:
    """Find the tables `train`, `val` and `test`, or of like names, in a folder; by split.

    Raises
    ------
    DatasetError
        When two of them mean the same split.
    """
    found: dict[str, Path] = {}
    for path in find_tables(root, tuple(SPLIT_NAMES)):
        split = SPLIT_NAMES[path.stem.casefold()]
        if split in found:
            raise DatasetError(
                f"{root}: got {found[split].name!r} and {path.name!r}, which both mean {split}. "
                "Expected one file per split. Remove one."
            )
        found[split] = path
    return {split: found[split] for split in SPLITS if split in found}


def load_partition(paths: dict[str, Path]) -> ImageSet:
    """Read one table per split, each like a `labels.csv`; the file name gives the split.

    Raises
    ------
    DatasetError
        As `load_labels`, and when a column `split` contradicts the name of the file.
    """
    tables = []
    for split, path in paths.items():
        table = _read(path)
        other = sorted({text for text in table["split"] if text and _split(text, path) != split})
        if other:
            raise DatasetError(
                f"{path}: got rows of the split {quote_some(other)}. Expected only those of "
                f"{split}. Move them to the table of their split, or remove the column."
            )
        tables.append(table.assign(split=split))
    files = list(paths.values())
    names = ",".join(path.stem for path in files)
    where = files[0] if len(files) == 1 else files[0].parent / f"{{{names}}}.csv"
    return _make(pd.concat(tables, ignore_index=True), where, files)


def _make(table: pd.DataFrame, path: Path, tables: list[Path]) -> ImageSet:
    root = path.parent
    files = FileFinder(path)
    found = [files.find(name) for name in table["file"]]
    missing = [name for name, file in zip(table["file"], found, strict=True) if file is None]
    if missing:
        raise DatasetError(
            f"{path}: {len(missing)} of {len(table)} files do not exist: "
            f"{_some_with_hints(missing, files)}. "
            f"Expected paths relative to {root}, or names of images below it. Correct or remove "
            "the rows."
        )
    table = _without_repeats(
        table.assign(file=pd.Series(found, index=table.index, dtype=object)), path
    )
    unlabelled = list(table.loc[table["label"] == "", "file"])
    if unlabelled:
        raise DatasetError(
            f"{path}: {len(unlabelled)} rows have no label: {quote_some(unlabelled)}. "
            "Expected one label or more per row. Fill them in, or remove the rows."
        )
    table["split"] = [_split(text, path) for text in table["split"]]
    labels, separator = split_labels(list(table["label"]))
    labels, classes = name_classes(root, labels)
    if len(classes) < 2:
        raise DatasetError(
            f"{path}: got one class, {quote_some(classes)}. Expected two or more different labels."
        )
    place = {name: number for number, name in enumerate(classes)}
    numbers = [tuple(sorted({place[name] for name in names})) for names in labels]
    task = task_of_labels(bool(separator))
    table["label"] = pd.Series([task.pack(label) for label in numbers], index=table.index)
    table["path"] = [os.path.normpath(root / file) for file in table["file"]]
    given = b"".join(source.read_bytes() for source in with_names(root, tables))
    digest = hashlib.sha256(given).hexdigest()
    images = make_imageset(root, table.to_dict("records"), classes, task, digest)
    return replace(images, notes=_notes(path, separator, labels, files.unnamed(set(table["file"]))))


def _notes(
    path: Path, separator: str, labels: list[list[str]], unnamed: list[str]
) -> tuple[str, ...]:
    notes = []
    if separator:
        several = next((list(dict.fromkeys(own)) for own in labels if len(set(own)) > 1), [])
        example = f", such as {quote_some(several)}" if several else ""
        name = "spaces" if separator == " " else separator
        hint = ""
        if separator == " " and not all(word.isdecimal() for word in several):
            hint = (
                f" If {' '.join(several)!r} is one class, write it without a space, as "
                f"{'_'.join(several)!r}."
            )
        notes.append(
            f"{path.name}: an image may have several labels{example}, separated by {name}.{hint}"
        )
    if unnamed:
        n = len(unnamed)
        notes.append(
            f"{path.name}: {n} image{'' if n == 1 else 's'} below the folder of the table "
            f"{'is' if n == 1 else 'are'} named by no row and not used, such as "
            f"{quote_some(unnamed, 3)}."
        )
    return tuple(notes)


def _some_with_hints(missing: list[str], files: FileFinder) -> str:
    names = []
    for name in missing[:_SHOWN]:
        near = files.suggest(name)
        names.append(f"{name!r} (did you mean {near!r}?)" if near else repr(name))
    more = [""] * (len(missing) - len(names))
    return join_some([*names, *more], _SHOWN)


def _read(path: Path) -> pd.DataFrame:
    table = read_table(path)
    if not table.rows:
        raise DatasetError(f"{path}: got no rows. {EXPECTED_COLUMNS} Add one row per image.")
    return our_columns(table, FileFinder(path).is_image)


def _without_repeats(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    same = table.duplicated()
    if same.any():
        warnings.warn(
            f"{path}: {int(same.sum())} rows repeat another one and are dropped", stacklevel=4
        )
    table = table[~same].reset_index(drop=True)
    again = sorted(set(table.loc[table["file"].duplicated(), "file"]))
    if again:
        raise DatasetError(
            f"{path}: rows contradict each other for {quote_some(again)}. Expected one row per "
            "file. Keep one; several labels go into one cell, separated by | or a space."
        )
    return table


def _split(text: str, path: Path) -> str:
    if text and text.casefold() not in SPLIT_NAMES:
        raise DatasetError(
            f"{path}: got the split {text!r}. Expected train, val, test or an empty cell. "
            "Correct the column split."
        )
    return SPLIT_NAMES.get(text.casefold(), "")


def split_labels(cells: list[str]) -> tuple[list[list[str]], str]:
    """Split each cell of a column into its labels; return the separator, empty if none has it."""
    cells = [unicodedata.normalize("NFC", cell) for cell in cells]
    if any(JOIN in cell for cell in cells):
        return [[name.strip() for name in cell.split(JOIN) if name.strip()] for cell in cells], JOIN
    words = [cell.split() for cell in cells]
    alone = {names[0] for names in words if len(names) == 1}
    spaced = {name for names in words if len(names) > 1 for name in names}
    if spaced and (spaced <= alone or all(name.isdecimal() for name in spaced | alone)):
        return words, " "
    return [[cell] for cell in cells], ""
