"""Which images a model was trained on: what it says of them is no test of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from gellib.base.files import write_csv
from gellib.base.paths import find_path
from gellib.data import ImageSet
from gellib.data.image_files import file_digest
from gellib.runs import Record, RunFolder
from gellib.training_run.prediction import Prediction

_TEST = "test"


def write_training_images(run: RunFolder, images: ImageSet) -> None:
    """Write which images a run was fitted to, or chose its epoch by: all but its test images."""
    used = images.table[images.table["split"] != _TEST]
    columns = used[["file", "split", "digest"]].rename(columns={"digest": "sha256"})
    write_csv(run.training_images, columns)


class TrainingImages:
    """The images that a run was trained on, known by their content, or else by where they are.

    Runs of earlier versions have no list of contents: theirs are known where the data set was.
    """

    def __init__(self, digests: Iterable[str] = (), paths: Iterable[str] = ()) -> None:
        self._digests, self._paths = frozenset(digests), frozenset(paths)

    @classmethod
    def read(cls, run: RunFolder, record: Record) -> TrainingImages:
        """Read which images a run was trained on; none where its files do not say it."""
        try:
            if run.training_images.is_file():
                return cls(pd.read_csv(run.training_images, dtype=str)["sha256"].dropna())
            table = run.read_predictions()
            own = table["file"][table["split"] != _TEST]
            root = os.path.realpath(find_path(record.data.root))
        except (OSError, ValueError, KeyError):
            return cls()
        return cls(paths=[os.path.normpath(os.path.join(root, file)) for file in own])

    def has(self, content: Any) -> bool:
        """Whether an image, a path or bytes, is one of them."""
        try:
            if self._digests:
                known = isinstance(content, bytes)
                digest = hashlib.sha256(content).hexdigest() if known else file_digest(content)
                return digest in self._digests
            return isinstance(content, Path) and os.path.realpath(content) in self._paths
        except (OSError, ValueError):
            return False


def training_note(predictions: Iterable[Prediction]) -> str:
    """Say how many images are no test, as the model was trained on them; empty where none is."""
    seen = [one.trained_on for one in predictions if not one.error]
    return note_of(sum(seen), len(seen))


def note_of(trained_on: int, total: int) -> str:
    """Say that of `total` images so many were trained on; empty where none was."""
    if not trained_on:
        return ""
    if total == 1:
        return "this image was a training image of this model: what it says of it is no test"
    were = "was a training image" if trained_on == 1 else "were training images"
    of = "it" if trained_on == 1 else "them"
    return (
        f"{trained_on:,} of {total:,} images {were} of this model: what it says of {of} is no test"
    )
