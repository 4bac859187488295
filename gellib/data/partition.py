"""Store a split of a data set in tables: `train.csv`, `val.csv` and `test.csv`."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pandas as pd

from gellib.base.files import write_text
from gellib.base.paths import expand_user
from gellib.base.spreadsheet import to_cell
from gellib.base.text import JOIN, quote_some
from gellib.data import ImageSet, load_imageset
from gellib.data.duplicates import find_duplicates, group_images
from gellib.data.imageset import SPLITS
from gellib.data.layouts.label_table import split_labels
from gellib.data.splits import split_imageset


class PartitionError(ValueError):
    """The tables cannot be written; the message says why and what to do."""


def partition(
    dataset_dir: str | Path,
    *,
    val: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    method: str = "stratified",
    group_duplicates: bool = True,
    out: str | Path = "",
    force: bool = False,
) -> tuple[ImageSet, list[Path]]:
    """Split a data set and write one table per split; return the split set and the files.

    Splits that the data set gives are kept, but not those of earlier tables. Groups stay together.

    Parameters
    ----------
    dataset_dir
        Folder of the images, in any layout that `load_imageset` knows.
    val, test
        Shares of all images, above 0; their sum is below 1.
    seed
        Seed of the split.
    method
        How images are drawn, as in `split_imageset`.
    group_duplicates
        Whether all duplicates of an image stay in one split.
    out
        Folder of the tables, which is then a data set itself; empty: the folder of the images,
        where `load_imageset` finds them.
    force
        Whether to replace other tables.

    Raises
    ------
    PartitionError
        If a share is out of range; if the folder cannot be written to; if other tables exist and
        `force` is False; if a class name cannot be written to a table.
    SplitError
        If a class would be missing from a split.
    """
    for name, share in (("val", val), ("test", test)):
        if not 0 < share < 1 or val + test >= 1:
            raise PartitionError(
                f"{name}: got {share!r}. Expected two shares of all images, each above 0, "
                "that leave some to train on."
            )
    images = load_imageset(dataset_dir, partition=False)
    folder = expand_user(out).resolve() if str(out) else images.root
    _check_writable(folder)  # before the images are compared
    if group_duplicates:
        images = group_images(images, find_duplicates(images))
    tested = float((images.table["split"] == "test").mean()) or test
    images = split_imageset(
        images,
        method=method,
        val_fraction=min(val / (1 - tested), 0.99),
        test_fraction=test,
        seed=seed,
    )
    texts = _tables(images, folder)
    known = {folder / f"{split}.csv": text for split, text in texts.items()}
    different = [path.name for path, text in known.items() if _text(path) not in ("", text)]
    if different and not force:
        raise PartitionError(
            f"{folder}: {quote_some(different)} exist already, with other contents. Expected no "
            "tables, or equal ones. Use --force to replace them, or --out for another folder."
        )
    try:
        for path, text in known.items():
            write_text(path, text, newline="\n")
    except OSError as err:
        raise _not_writable(folder, err.strerror or str(err)) from err
    return images, list(known)


def _check_writable(folder: Path) -> None:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise _not_writable(folder, f"{there} is a file")
    if not os.access(there, os.W_OK):
        raise _not_writable(folder, "no permission, or a disk that is only read")


def _not_writable(folder: Path, why: str) -> PartitionError:
    return PartitionError(
        f"{folder}: got a folder that cannot be written to ({why}). Expected one for the tables. "
        "Give --out FOLDER; the tables there are a data set by themselves."
    )


def partition_table(imageset: ImageSet) -> pd.DataFrame:
    """Count the images of each class and split, with totals, and the groups if they are known.

    The row `images` counts images; with several labels per image the classes add up to more.
    """
    counts = imageset.counts()
    table, split = imageset.table, imageset.table["split"]
    names = [name or "all" for name in (*SPLITS, "") if (split == name).any()]
    counts.loc["images"] = [int((split == name.replace("all", "")).sum()) for name in names]
    grouped = table[table["group"] != ""]
    if len(grouped):
        per_split = grouped.groupby("split")["group"].nunique()
        counts.loc["groups"] = [int(per_split.get(name.replace("all", ""), 0)) for name in names]
    if "all" not in counts:
        counts["all"] = counts.sum(axis=1)
    return counts


def _tables(images: ImageSet, folder: Path) -> dict[str, str]:
    """Write out the rows of each split as text, paths relative to the folder of the tables."""
    labels = images.label_texts()
    read, _ = split_labels(labels)
    wanted = [images.task.labels_of(label) for label in labels]
    wrong = {
        label
        for label, own, got in zip(labels, wanted, read, strict=True)
        if own != got or label != label.strip() or not label
    }
    if wrong:
        raise PartitionError(
            f"{images.root}: labels that cannot stand in a table: {quote_some(sorted(wrong))}. "
            f"Expected names without {JOIN!r}, and words that are no labels by themselves. "
            "Rename these classes."
        )
    grouped = (images.table["group"] != "").any()
    rows: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    table = images.table
    cells = zip(table["path"], table["split"], table["group"], labels, strict=True)
    for path, split, group, label in cells:
        file = Path(os.path.relpath(path, folder)).as_posix()
        rows[split].append([file, label, *([group] if grouped else [])])
    header = ["file", "label", *(["group"] if grouped else [])]
    return {split: _csv([header, *sorted(own)]) for split, own in rows.items()}


def _csv(rows: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(map(to_cell, row) for row in rows)
    return stream.getvalue()


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
