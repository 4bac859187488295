"""`labels_reviewed.csv` (`.tsv`, `.xlsx`): decisions of a person about single labels."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from gellib.base.text import did_you_mean, quote_some
from gellib.data.imageset import DatasetError, ImageSet
from gellib.data.tables import find_table, one_line, read_table

REVIEWED = "labels_reviewed.csv"
HEADER = ("file", "decision", "label")
DECISIONS = ("keep", "change", "drop")
_EXPECTED = f"Expected the columns {','.join(HEADER)}, with {', '.join(DECISIONS)} as decisions."


@dataclass(frozen=True)
class Decision:
    """The decision about one file; `label` is the correct label for `change`, else empty."""

    file: str
    decision: str
    label: str = ""


def read_decisions(root: str | Path) -> list[Decision]:
    """Read the decisions about the images of a folder; an empty list if there is no such file.

    Raises
    ------
    DatasetError
        For other columns, unknown decisions, a change without a label, and a file decided twice.
    """
    path = _find(Path(root))
    if path is None:
        return []
    table = read_table(path)
    if tuple(name.casefold() for name in table.columns) != HEADER:
        got = quote_some(table.columns, 20) if table.columns else "an empty file"
        raise DatasetError(f"{path}: got {got}. {_EXPECTED} Correct it, or remove the file.")
    decisions, seen = [], set()
    for row in table.rows:
        number = row.number
        file, decision, label = (one_line(cell, row, path) for cell in row.cells)
        if decision not in DECISIONS:
            hint = did_you_mean(decision, DECISIONS)
            raise DatasetError(
                f"{path}: got the decision {decision!r} in row {number}: {hint}{_EXPECTED}"
            )
        if bool(label) != (decision == "change"):
            raise DatasetError(
                f"{path}: got {decision!r} with the label {label!r} in row {number}. Expected a "
                "label for change, and only for change. Correct the row."
            )
        if file in seen:
            raise DatasetError(
                f"{path}: {file!r} is decided twice, again in row {number}. Expected one row "
                "per file. Remove one."
            )
        seen.add(file)
        decisions.append(Decision(file, decision, label))
    return decisions


def _find(root: Path) -> Path | None:
    return find_table(root, REVIEWED.removesuffix(".csv"))


def apply_decisions(images: ImageSet) -> ImageSet:
    """Apply the decisions of `labels_reviewed.csv` in the folder of the set.

    Raises
    ------
    DatasetError
        As `read_decisions`; for files and labels that the set does not have; if a class would have
        no images left.
    """
    decisions, path = read_decisions(images.root), _find(images.root)
    if not decisions or path is None:
        return images
    table = images.table
    files = set(table["file"])
    for decision in decisions:
        if decision.file not in files:
            _unknown(decision, images, path)
    changed = {d.file: _number(d, images, path) for d in decisions if d.decision == "change"}
    dropped = {d.file for d in decisions if d.decision == "drop"}
    own = zip(table["file"], table["label"], strict=True)
    labels = pd.Series(
        [changed.get(file, label) for file, label in own], index=table.index, dtype=object
    )
    table = table.assign(label=labels.astype(table["label"].dtype))[
        ~table["file"].isin(dropped)
    ].reset_index(drop=True)
    given = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    digest = hashlib.sha256(images.labels_digest.encode() + given).hexdigest()
    reviewed = replace(images, table=table, labels_digest=digest)
    counts = reviewed.counts().sum(axis=1)
    empty = [name for name, n in counts.items() if not n]
    if empty or not len(table):
        raise DatasetError(
            f"{path}: leaves no image of {quote_some(empty or images.classes)}. Expected one or "
            "more of each class. Remove a decision, or remove the class."
        )
    return reviewed


def _number(decision: Decision, images: ImageSet, path: Path) -> int | tuple[int, ...]:
    names = images.task.labels_of(decision.label)
    wrong = [name for name in names if name not in images.classes]
    if wrong:
        hint = did_you_mean(wrong[0], images.classes)
        raise DatasetError(
            f"{path}: got the label {wrong[0]!r} for {decision.file!r}: {hint}Expected one of "
            f"{quote_some(images.classes, 20)}. Correct the row."
        )
    return images.task.pack(tuple({images.classes.index(name) for name in names}))


def _unknown(decision: Decision, images: ImageSet, path: Path) -> None:
    hint = did_you_mean(decision.file, images.table["file"])
    text = f"{path}: {decision.file!r} is not one of the images: {hint}"
    if decision.decision == "change":
        raise DatasetError(
            f"{text}Expected paths relative to {images.root}. Correct or remove the row."
        )
    # A dropped image may have been deleted from the disk or from the tables of the splits.
    if decision.decision == "drop" and hint and not (Path(images.root) / decision.file).exists():
        warnings.warn(f"{text}Nothing is dropped for it.", stacklevel=4)
