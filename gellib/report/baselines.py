"""Baselines that a network has to beat: the commonest class, and statistics of the image.

Both are fitted to the training images of a run and tested on its test images. The results are
kept in the sweep's folder, one per data split, so that they are computed once.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gellib.base.files import write_json
from gellib.base.text import join_labels, labels_of
from gellib.data.image_files import ImageLimits
from gellib.data.images import Color, read_image
from gellib.evaluation import SINGLE_LABEL, Task

MAJORITY, STATISTICS = "commonest class", "image statistics"
# Longer side in pixels: statistics of intensity and edges need no larger images.
_SIDE = 128
_PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
_SCALES = (0.0, 1.0, 2.0, 4.0)
# Reading more images than this would delay the summary too long.
_MOST_IMAGES = 20_000


def image_statistics(image: np.ndarray) -> np.ndarray:
    """Describe an image (H, W) or (H, W, 3), uint8, by about forty numbers, without any network.

    Percentiles, mean and standard deviation of the intensity; then, with the contrast stretched
    between the 1st and 99th percentile, the percentiles again and, at four scales, the strength of
    horizontal and vertical edges. Colour images: mean and standard deviation per channel too.
    """
    small = _shrink(image)
    grey = small if small.ndim == 2 else small.mean(axis=2)
    low, high = np.percentile(grey, (1, 99))
    even = np.clip((grey - low) / max(high - low, 1e-6), 0, 1)
    values = [*np.percentile(grey, _PERCENTILES) / 255, grey.mean() / 255, grey.std() / 255]
    values += [*np.percentile(even, _PERCENTILES[1:-1]), even.mean(), even.std()]
    for scale in _SCALES:
        smooth = gaussian_filter(even, scale) if scale else even
        down, across = (np.abs(np.diff(smooth, axis=axis)) for axis in (0, 1))
        values += [down.mean(), across.mean(), down.std(), across.std()]
    if small.ndim == 3:
        values += [*small.mean(axis=(0, 1)) / 255, *small.std(axis=(0, 1)) / 255]
    return np.asarray(values, dtype=float)


def _shrink(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX), dtype=float)


def fit_baselines(
    table: pd.DataFrame, statistics: np.ndarray | None, *, task: Task = SINGLE_LABEL
) -> dict[str, dict[str, str]]:
    """Train both baselines on the rows `train` and predict the rows `test`.

    Parameters
    ----------
    table
        One row per image with `file`, `split` and `label`, as a run's predictions.
    statistics
        Statistics (images, features) in the rows of `table`; None where images cannot be read.
    task
        Whether a label is one class name, or several joined by `|`.

    Returns
    -------
    dict
        By baseline, the predicted label of each test image by file.
    """
    train, test = (np.flatnonzero(table["split"] == split) for split in ("train", "test"))
    labels, files = table["label"].to_numpy(dtype=object), table["file"].to_numpy(dtype=object)
    # Of equally common classes the first by name, so that the result does not depend on order.
    common = min(Counter(labels[train]).items(), key=lambda item: (-item[1], item[0]))[0]
    found = {MAJORITY: {file: common for file in files[test]}}
    if statistics is None:
        return found
    x, x_test = statistics[train], statistics[test]
    predict = _predict if task.exclusive else _predict_multilabel
    predicted = predict(x, labels[train], x_test)
    return found | {STATISTICS: dict(zip(files[test], map(str, predicted), strict=True))}


def _model() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))


def _predict(x: np.ndarray, labels: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    if len(set(labels)) < 2:
        return np.full(len(x_test), labels[0], dtype=object)
    return _model().fit(x, labels.astype(str)).predict(x_test)


def _predict_multilabel(x: np.ndarray, labels: np.ndarray, x_test: np.ndarray) -> list[str]:
    sets = [set(labels_of(str(label))) for label in labels]
    classes = sorted(set().union(*sets))
    given = np.zeros((len(x_test), len(classes)), dtype=bool)
    for c, name in enumerate(classes):
        has = np.array([name in own for own in sets])
        given[:, c] = has[0] if has.all() or not has.any() else _model().fit(x, has).predict(x_test)
    return [join_labels(n for n, has in zip(classes, row, strict=True) if has) for row in given]


class Baselines:
    """The baselines of a sweep's runs, computed once for each split of its images.

    Parameters
    ----------
    file
        Where results are kept, `baselines.json` in the sweep's folder; written when there are new
        ones and the folder is writable.
    """

    def __init__(self, file: Path) -> None:
        self.file = Path(file)
        self.problem = ""
        self._statistics: dict[tuple[str, str], np.ndarray] = {}
        try:
            self._kept = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._kept = {}
        self._new = False

    def predict(
        self,
        table: pd.DataFrame,
        root: str | Path,
        *,
        color: Color = "grey",
        task: Task = SINGLE_LABEL,
    ) -> dict[str, dict[str, str]]:
        """Return, by baseline, the predicted label of each test image by file.

        Parameters
        ----------
        table
            One row per image with `file`, `split` and `label`, as a run's predictions.
        root
            Folder that the file names start from.
        color
            How images are read, `grey` or `rgb`.
        task
            Whether a label is one class name, or several joined by `|`.

        Returns
        -------
        dict
            The commonest class alone where images cannot be read; `problem` then says why.
        """
        rows = table[["file", "split", "label"]].astype(str)
        text = rows.to_csv(index=False) + color
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        kept = self._kept.get(key, {})
        if STATISTICS in kept:
            return kept
        statistics = self._read(rows["file"].tolist(), root, color)
        found = fit_baselines(rows, statistics, task=task)
        self._kept[key] = found
        self._new = True
        return found

    def _read(self, files: Sequence[str], root: str | Path, color: Color) -> np.ndarray | None:
        if len(files) > _MOST_IMAGES:
            self.problem = (
                f"{len(files)} images are more than the {_MOST_IMAGES} that a summary reads"
            )
            return None
        if not Path(root).is_dir():
            self.problem = f"the images are not at {root}"
            return None

        def work(file: str) -> np.ndarray:
            if (file, color) not in self._statistics:
                path = Path(root) / file
                image = read_image(path, color=color, limits=ImageLimits())
                self._statistics[file, color] = image_statistics(image)
            return self._statistics[file, color]

        try:
            with ThreadPoolExecutor(4) as pool:
                return np.stack(list(pool.map(work, files)))
        except (OSError, ValueError) as err:
            self.problem = f"an image cannot be read: {err}"
            return None

    def save(self) -> None:
        """Write the new results; a read-only folder is left as it is."""
        if not self._new:
            return
        try:
            write_json(self.file, self._kept)
        except OSError:
            return
