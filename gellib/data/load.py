"""Load a data set of any known layout."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd

from gellib.base.paths import expand_user, find_path, project_folder
from gellib.base.text import quote_some
from gellib.data.class_spelling import name_notes, name_problems
from gellib.data.dicom import read_patient
from gellib.data.imageset import EXTRA, DatasetError, ImageSet, make_imageset
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


def _load(
    root: Path, leave_out: Path | None = None, partition: bool = True, least: int = 2
) -> ImageSet:
    return _with_patients(apply_decisions(_load_layout(root, leave_out, partition, least)))


def _with_patients(images: ImageSet) -> ImageSet:
    """Take the patients of DICOM files as the groups, unless the set has groups of its own."""
    table = images.table
    if (table["group"] != "").any():
        return images
    groups = [read_patient(path) for path in table["path"]]
    return replace(images, table=table.assign(group=groups)) if any(groups) else images


def _load_layout(root: Path, leave_out: Path | None, partition: bool, least: int) -> ImageSet:
    if partition and (parts := find_partition(root)):
        return load_partition(parts)
    if table := find_table(root, "labels"):
        return load_labels(table)
    if parquet := find_parquet(root):
        return load_parquet(root, parquet)
    return load_folders(root, leave_out=leave_out, least=least)


def load_extra_training(images: ImageSet, folder: str | Path) -> ImageSet:
    """Load further training images, which are of the split `extra`.

    They are in any layout of `load_imageset`, and may be of some of the classes alone.

    Parameters
    ----------
    images
        The data set that they are added to.
    folder
        Their folder, outside of those of the data set.

    Raises
    ------
    DatasetError
        If the folder is missing or is not a data set, has test images or classes that the data set
        does not have, or has one label per image where the data set has several, or the reverse.
    """
    root, name = _find_folder(folder, "extra_train_dir"), "extra_train_dir"
    for path in images.table["path"]:
        if Path(path).is_relative_to(root):
            raise DatasetError(
                f"{name}: got {root}, which holds images of the data set, such as {path}. Expected "
                "a folder of other images. Move them to a folder of their own."
            )
    extra = _load(root, least=1)
    if not extra.table["split"].isin(("", "train")).all():
        raise DatasetError(
            f"{name}: got {root}, which has validation or test images. Expected images to train "
            "on. Name the folder of its training images."
        )
    if unknown := [own for own in extra.classes if own not in images.classes]:
        raise DatasetError(
            f"{name}: got the {'classes' if len(unknown) > 1 else 'class'} {quote_some(unknown)} "
            f"in {root}. Expected some of {quote_some(images.classes)}, as in {images.root}. "
            "Rename or remove class folders."
        )
    if extra.task != images.task:
        raise DatasetError(
            f"{name}: got a set of the task {extra.task.name} in {root}. Expected "
            f"{images.task.name}, as in {images.root}. Give its images as many labels each."
        )
    number = {i: images.classes.index(own) for i, own in enumerate(extra.classes)}
    rows = _seen_from(images.root, extra).assign(split=EXTRA).to_dict("records")
    for row in rows:
        own = row["label"]
        row["label"] = tuple(number[i] for i in own) if isinstance(own, tuple) else number[own]
    digest = extra.labels_digest
    made = make_imageset(images.root, rows, images.classes, images.task, digest)
    return replace(made, notes=extra.notes, problems=extra.problems)


def append_images(images: ImageSet, more: ImageSet) -> ImageSet:
    """Append images of the same classes below those of a set, whose rows stay where they are."""
    return replace(images, table=pd.concat([images.table, more.table], ignore_index=True))


def _seen_from(root: Path, images: ImageSet) -> pd.DataFrame:
    """Return the table of a set with its files relative to another folder."""
    files = [Path(os.path.relpath(path, root)).as_posix() for path in images.table["path"]]
    return images.table.assign(file=files)


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
    moved = _seen_from(images.root, test).assign(split="test")
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
