"""Decode a data set once and find what is wrong with it: `check_dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gellib.audit.file_properties import image_properties
from gellib.audit.outliers import find_outliers
from gellib.audit.report import CheckReport
from gellib.audit.shortcuts import find_shortcuts
from gellib.data import ImageSet, load_imageset
from gellib.data.duplicates import (
    best_copy,
    find_clusters,
    find_duplicates,
    label_codes,
    summarise_images,
)
from gellib.data.file_notes import left_out_files
from gellib.data.image_files import ImageLimits


def check_dataset(
    dataset_dir: str | Path,
    *,
    test_dir: str | Path = "",
    limits: ImageLimits | None = None,
    seed: int = 0,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> CheckReport:
    """Decode every image of a set once, and find what would make its results unreliable.

    Parameters
    ----------
    dataset_dir
        Folder of the images, in any layout that `load_imageset` knows.
    test_dir
        Separate folder of test images; empty: none.
    limits
        Largest file and image that are read.
    seed
        Seed of the splits with which shortcuts and near-duplicate clusters are measured.
    progress
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.

    Raises
    ------
    DatasetError
        When the folder is not a data set.
    """
    images = load_imageset(dataset_dir, test_dir=test_dir).with_digests()
    return check_images(images, limits=limits, seed=seed, progress=progress)


def check_images(
    images: ImageSet,
    *,
    limits: ImageLimits | None = None,
    seed: int = 0,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> CheckReport:
    """Check a set that is loaded.

    Parameters
    ----------
    images
        The set, with the digests of its files.
    limits, seed, progress
        As for `check_dataset`.
    """
    paths = list(images.table["path"])
    summaries = summarise_images(paths, limits, traits=True, progress=progress)
    duplicates = find_duplicates(images, summaries=summaries, progress=progress)
    files, labels = list(images.table["file"]), label_codes(images)
    place = {file: row for row, file in enumerate(files)}
    readable = [row for row, summary in enumerate(summaries) if summary.thumbnail is not None]
    position = {row: number for number, row in enumerate(readable)}
    shown = duplicates.only({files[row] for row in readable})
    groups = [[position[place[file]] for file in group] for group in shown.groups()]
    thumbnails = np.array([summaries[row].thumbnail for row in readable])
    leak = find_clusters(thumbnails, labels[np.array(readable, int)], groups, seed=seed)
    clusters = tuple(tuple(files[readable[i]] for i in rows) for rows in leak.groups)
    # Images of one group or cluster are not independent: only the first one of each is used.
    others = {i for rows in (*groups, *leak.groups) for i in sorted(rows)[1:]}
    alone = [row for number, row in enumerate(readable) if number not in others]
    shortcuts = find_shortcuts(
        image_properties([summaries[row] for row in alone]),
        labels[np.array(alone, int)],
        seed=seed,
        traits=[traits for row in alone if (traits := summaries[row].traits) is not None],
        class_names=images.classes if images.task.exclusive else (),
    )
    return CheckReport(
        images=images,
        infos=tuple(summary.info for summary in summaries),
        duplicates=duplicates,
        clusters=clusters,
        leak=leak,
        shortcuts=tuple(shortcuts),
        outliers=tuple(
            find_outliers([files[row] for row in readable], [summaries[row] for row in readable])
        ),
        unreadable=tuple(
            (file, summary.info.reason)
            for file, summary in zip(files, summaries, strict=True)
            if summary.info.reason
        ),
        left_out=left_out_files(images),
        keep=tuple(
            group[best_copy([summaries[place[file]] for file in group])] for group in shown.groups()
        ),
    )
