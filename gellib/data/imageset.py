"""`ImageSet`: the images of a data set with their labels, splits and groups."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from gellib.base.text import join_labels
from gellib.data.image_files import file_digest
from gellib.evaluation.task import Task

SPLITS = ("train", "val", "test")
# The split of images that are all trained on and all predicted, in folds.
CV = "cv"
# The split of further training images: trained on in every fold, and never predicted or scored.
EXTRA = "extra"
IMAGE_COLUMNS = ("file", "path", "label", "split", "group", "digest")
# Images kept of a class in a split, so that it can be split further. No benchmark set it.
_MIN_KEPT = 6
# Names of negative classes: `not_gel`, `no`, `NonDemented`, `0`.
_NEGATIVE = re.compile(
    r"(not?|normal|healthy|negative|neg|control|without|absent|background|false|0)(?![a-z0-9])|non"
)


class DatasetError(ValueError):
    """A folder or its labels are not a valid data set; the message says what to do."""

    exit_status = 2  # of the command


@dataclass(frozen=True)
class ImageSet:
    """Images with their labels, one row of `table` each.

    `table` has the columns `file` (relative to `root`, with `/`), `path` (absolute), `label` (index
    into `classes`; a tuple of them for the task `MULTILABEL`), `split` (`train`, `val`, `test`,
    `cv` for what is cross-validated, `extra` for what is only trained on, or empty where the layout
    does not say), `group` (rows of one
    group must stay together; empty where unknown) and `digest` (sha256 of the file, empty until
    `with_digests`). Rows are sorted by split and file, so their order does not depend on the file
    system. `labels_digest` is the sha256 of `labels.csv`, empty for layouts without one. `notes`
    says how the set was understood, `problems` what is probably wrong with its labels; a sentence
    each.
    """

    root: Path
    table: pd.DataFrame
    classes: tuple[str, ...]
    task: Task
    labels_digest: str = ""
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def positive(self) -> str:
        """Name of the class that is looked for, of two that exclude each other; else empty.

        That is the class whose name does not begin like `not_`, `non_`, `no`, `normal`, `healthy`,
        `negative` or `0`; the first one if that does not decide.
        """
        if not self.task.exclusive or len(self.classes) != 2:
            return ""
        yes = [name for name in self.classes if not _NEGATIVE.match(name.casefold())]
        return yes[0] if len(yes) == 1 else self.classes[0]

    def counts(self) -> pd.DataFrame:
        """Count the images, one row per class, one column per split; without a split: `all`."""
        known = (*SPLITS[:2], CV, *SPLITS[2:], "")
        splits = [name for name in known if (self.table["split"] == name).any()]
        pairs = self.table[["label", "split"]].explode("label").dropna()
        counts = pd.crosstab(pairs["label"], pairs["split"])
        counts = counts.reindex(index=range(len(self.classes)), columns=splits, fill_value=0)
        counts.index = pd.Index(self.classes, name="class")
        counts.columns = pd.Index([name or "all" for name in splits], name="split")
        return counts

    def targets(self) -> np.ndarray:
        """Return class numbers (n,), or 0 and 1 (n, classes) where images have several labels."""
        return self.task.targets(self.table["label"], len(self.classes))

    def memberships(self) -> np.ndarray:
        """Return booleans (n, classes): which classes each image has."""
        return self.task.memberships(self.targets(), len(self.classes))

    def label_texts(self) -> list[str]:
        """Name the labels of each image, several joined by `|`."""
        return name_labels(self.memberships(), self.classes)

    def take(self, rows: Sequence[int] | np.ndarray) -> ImageSet:
        """Return the set of the given rows of the table, in the given order."""
        return replace(self, table=self.table.iloc[list(rows)].reset_index(drop=True))

    def with_digests(self) -> ImageSet:
        """Fill in the sha256 of every file; files that cannot be opened keep an empty one."""
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            digests = list(pool.map(_digest_or_empty, self.table["path"]))
        return replace(self, table=self.table.assign(digest=digests))

    def fingerprint(self) -> str:
        """Compute 16 hex digits that change when any file, its name or its label changes.

        Splits that `labels.csv` gives count, splits that were drawn do not.
        """
        table = self.table if (self.table["digest"] != "").all() else self.with_digests().table
        rows = sorted(zip(table["file"], table["digest"], table["label"], strict=True))
        text = json.dumps([self.labels_digest, self.classes, rows], default=int)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def name_labels(given: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Name the classes that each image is given, booleans (n, C), several joined by `|`."""
    names = np.array(classes, dtype=object)
    return [join_labels(names[row]) for row in given]


def make_imageset(
    root: Path, rows: list[dict], classes: tuple[str, ...], task: Task, labels_digest: str = ""
) -> ImageSet:
    """Build an `ImageSet` from rows in any order; columns that a row lacks are empty.

    Parameters
    ----------
    root
        Folder that the files are relative to.
    rows
        One dictionary per image, with column names as keys.
    classes
        Class names, in the order of the label numbers.
    task
        Whether an image has one label or several.
    labels_digest
        sha256 of the tables of labels; empty without one.

    Raises
    ------
    DatasetError
        If the name of a file is not UTF-8, as old archives and drives write them.
    """
    odd = [row["file"] for row in rows if _is_odd(row["file"])]
    if odd:
        here, shown = (
            os.fsencode(name).decode(errors="backslashreplace") for name in (root, odd[0])
        )
        raise DatasetError(
            f"{here}: got {len(odd)} file names that are not UTF-8, such as {shown}. "
            "Expected names that every program can write. Rename these files or their folder."
        )
    rows = sorted(rows, key=lambda row: (row.get("split", ""), row["file"]))
    table = pd.DataFrame({name: [row.get(name, "") for row in rows] for name in IMAGE_COLUMNS})
    return ImageSet(root, table, classes, task, labels_digest)


def drop_images(imageset: ImageSet, files: Iterable[str]) -> ImageSet:
    """Leave out images, named as in the column `file` or `path`.

    Raises
    ------
    DatasetError
        For a name that the set does not have.
    """
    table, files = imageset.table, {str(file) for file in files}
    unknown = files - set(table["file"]) - set(table["path"])
    if unknown:
        raise DatasetError(f"cannot leave out {sorted(unknown)}: not in {imageset.root}")
    keep = ~(table["file"].isin(files) | table["path"].isin(files))
    return replace(imageset, table=table[keep].reset_index(drop=True))


def limit_images(imageset: ImageSet, most: int) -> ImageSet:
    """Keep about `most` images: the same share of each class in each split, and at least six.

    With several labels per image the rarest one counts. The images kept are spread evenly over
    groups and file names.
    """
    if most <= 0 or len(imageset) <= most:
        return imageset
    table = imageset.table
    counts = table["label"].explode().value_counts()
    main = [
        min(label, key=lambda one: counts[one], default=-1) if isinstance(label, tuple) else label
        for label in table["label"]
    ]
    share = most / len(table)
    keep = []
    ordered = table.assign(main=main).sort_values(["group", "file"], kind="stable")
    for _, rows in ordered.groupby(["split", "main"], sort=True):
        count = min(len(rows), max(_MIN_KEPT, round(len(rows) * share)))
        # The middles of intervals of equal length.
        keep += [rows.index[int((i + 0.5) * len(rows) / count)] for i in range(count)]
    return replace(imageset, table=table.loc[sorted(keep)].reset_index(drop=True))


def sort_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Sort class names by the numbers in them: `2` before `10`."""

    def key(name: str) -> tuple:
        parts = re.split(r"(\d+)", name.casefold())
        return ([int(part) if part.isdecimal() else part for part in parts], name)

    return tuple(sorted(set(names), key=key))


def _is_odd(name: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in name)


def _digest_or_empty(path: str) -> str:
    try:
        return file_digest(path)
    except OSError:
        return ""
