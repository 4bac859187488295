"""Load a data set of any known layout."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

from gellib.base.paths import expand_user, find_path, project_folder
from gellib.data.class_spelling import name_notes, name_problems
from gellib.data.dicom import read_patient
from gellib.data.imageset import DatasetError, ImageSet, make_imageset
from gellib.data.layouts.folders import check_same_classes, load_folders
from gellib.data.layouts.label_table import find_partition, load_labels, load_partition
from gellib.data.layouts.parquet import find_parquet, load_parquet
from gellib.data.reviewed import apply_decisions
from gellib.data.tables import find_table
from gellib.evaluation.task import MULTILABEL, task_of_labels


def load_imageset(
    dataset_dir: str | Path, *, test_dir: str | Path = "", partition: bool = True
) -> ImageSet:
    """Find the images of a folder and their labels; the layout is recognised by its files.

    Known layouts, in this order: `train.csv`, `val.csv` and `test.csv` (any of the three, as
    `gellib partition` writes them), `labels.csv`, Parquet with image bytes,
    `{train,val,test}/<class>/*` (any of the three) and `<class>/*`. Hidden files and files that are
    not images are skipped. The decisions in `labels_reviewed.csv` of the folder are applied.
    `test_dir` is a separate folder of test images with the same classes, in any of these layouts.
    If `partition` is False, the tables of the splits are ignored.

    Raises
    ------
    DatasetError
        If the folder is missing or is not a data set; the message says what was got, what is
        expected and what to do.
    """
    root = _find_folder(dataset_dir, "dataset_dir")
    if not str(test_dir):
        return _with_name_problems(_load(root, partition=partition))
    test_root = _find_folder(test_dir, "test_dir")
    if test_root == root:
        raise DatasetError(
            f"test_dir: got {root}, the same as dataset_dir. Expected another folder. "
            "Leave test_dir empty to draw test images from dataset_dir."
        )
    images, test = _load(root, test_root, partition), _load(test_root)
    return _with_name_problems(_join(images, test))


def _with_name_problems(images: ImageSet) -> ImageSet:
    counts = {str(name): int(n) for name, n in images.counts().sum(axis=1).items()}
    return replace(
        images,
        notes=(*images.notes, *name_notes(counts)),
        problems=(*images.problems, *name_problems(counts)),
    )


def _find_folder(folder: str | Path, name: str) -> Path:
    path = find_path(folder)
    if path.is_dir():
        return path
    looked = dict.fromkeys((expand_user(folder).absolute(), project_folder() / folder, path))
    places = " and ".join(str(place) for place in looked)
    what = "a file" if path.exists() else "no such folder"
    raise DatasetError(
        f"{name}: got {str(folder)!r}, {what}; looked at {places}. Expected a folder of images. "
        f"Correct {name}; dataset/README.md says how to get each data set."
    )


def _load(root: Path, leave_out: Path | None = None, partition: bool = True) -> ImageSet:
    return _with_patients(apply_decisions(_load_layout(root, leave_out, partition)))


def _with_patients(images: ImageSet) -> ImageSet:
    """Take the patients of DICOM files as the groups, unless the set has groups of its own."""
    table = images.table
    if (table["group"] != "").any():
        return images
    groups = [read_patient(path) for path in table["path"]]
    return replace(images, table=table.assign(group=groups)) if any(groups) else images


def _load_layout(root: Path, leave_out: Path | None, partition: bool) -> ImageSet:
    if partition and (parts := find_partition(root)):
        return load_partition(parts)
    if table := find_table(root, "labels"):
        return load_labels(table)
    if parquet := find_parquet(root):
        return load_parquet(root, parquet)
    return load_folders(root, leave_out=leave_out)


def _join(images: ImageSet, test: ImageSet) -> ImageSet:
    if (images.table["split"] == "test").any():
        raise DatasetError(
            f"test_dir: got {test.root}, but {images.root} has test images of its own. Expected "
            "one of them. Leave test_dir empty, or move the test images out of dataset_dir."
        )
    if not test.table["split"].isin(("", "test")).all():
        raise DatasetError(
            f"test_dir: got {test.root}, which has images for training. Expected test images. "
            "Name its folder test."
        )
    check_same_classes(set(images.classes), set(test.classes), images.root, test.root)
    shared = set(images.table["path"]) & set(test.table["path"])
    if shared:
        warnings.warn(f"{len(shared)} images are in dataset_dir and in test_dir", stacklevel=3)
    moved = test.table.assign(
        split="test",
        file=[Path(os.path.relpath(path, images.root)).as_posix() for path in test.table["path"]],
    )
    rows = images.table.to_dict("records") + moved.to_dict("records")
    task = task_of_labels(MULTILABEL in (images.task, test.task))
    if images.task != test.task:
        for row in rows:
            label = row["label"]
            row["label"] = label if isinstance(label, tuple) else (label,)
    digest = images.labels_digest + test.labels_digest
    return replace(
        make_imageset(images.root, rows, images.classes, task, digest),
        notes=images.notes + test.notes,
        problems=images.problems + test.problems,
    )
