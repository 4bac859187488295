"""Labels that are probably wrong: classifiers not trained on the image find them unlikely."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gellib.data import ImageSet
from gellib.data.duplicates import Duplicates, ImageSummary, group_images
from gellib.models.backbones import Backbone
from gellib.models.features import FeatureStore

SUSPECT_FOLDS = 5
_STATISTICS_SIDE = 4


def label_features(
    images: ImageSet,
    *,
    backbone: Backbone | None = None,
    store: FeatureStore | None = None,
    summaries: Sequence[ImageSummary] = (),
    progress: bool = False,
) -> np.ndarray:
    """Describe each image by numbers, (n, features), with which its label is checked.

    These are the features of a frozen backbone or, without one, image statistics: a very small
    image, brightness, contrast, and how its detail is spread over spatial frequencies.

    Parameters
    ----------
    images
        n images.
    backbone, store
        Frozen backbone, and the store of its features; both or neither.
    summaries
        Without a backbone: the result of `summarise_images`, one per image, in their order.
    progress
        Whether to show a progress bar while features are computed.
    """
    if backbone is not None and store is not None:
        return np.array(store.unaugmented(images, backbone, progress=progress))
    found = [s.thumbnail for s in summaries if s.thumbnail is not None]
    thumbnails = np.stack(found).astype(np.float32)
    n, full = thumbnails.shape[:2]
    factor = full // _STATISTICS_SIDE
    tiny = thumbnails.reshape(n, _STATISTICS_SIDE, factor, _STATISTICS_SIDE, factor).mean((2, 4))
    level, spread = thumbnails.mean((1, 2)), thumbnails.std((1, 2))
    tiny = (tiny - level[:, None, None]) / np.maximum(spread[:, None, None], 1)
    power = np.abs(np.fft.rfft2(thumbnails - level[:, None, None]))
    rows = np.abs(np.fft.fftfreq(full) * full)[:, None]
    columns = np.arange(power.shape[2])[None]
    spectrum = []
    for low, high in ((1, 2), (2, 4), (4, 8), (8, 16), (16, 33)):
        for flat in (rows >= columns, rows < columns):  # horizontal and vertical detail
            ring = flat & (np.hypot(rows, columns) >= low) & (np.hypot(rows, columns) < high)
            spectrum.append(np.log1p(power[:, ring].mean(axis=1)))
    return np.column_stack([tiny.reshape(n, -1), level, spread, *spectrum])


def out_of_fold(
    images: ImageSet,
    features: np.ndarray,
    *,
    duplicates: Duplicates | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Predict each image with models that were not trained on it, its duplicates or its group.

    A duplicate with the same wrong label would confirm it.

    Parameters
    ----------
    images
        n images with one label each.
    features
        (n, features): one row per image.
    duplicates
        Images that stay on one side of each fold, besides those of one group.
    seed
        Seed of the folds.

    Returns
    -------
    probabilities
        (n, classes).

    Raises
    ------
    ValueError
        With several labels per image, or where a class has a single image or group.
    """
    if not images.task.exclusive:
        raise ValueError(
            "got a set with several labels per image. Expected one label per image; labels of "
            "other sets cannot be checked."
        )
    labels = images.table["label"].to_numpy(int)
    grouped = group_images(images, duplicates) if duplicates else images
    names = [group or file for group, file in grouped.table[["group", "file"]].to_numpy()]
    groups = pd.factorize(pd.Series(names))[0]
    folds = min(SUSPECT_FOLDS, len(set(groups)), int(np.bincount(labels).min()))
    if folds < 2:
        raise ValueError(
            "labels cannot be checked: some class has a single image or group. Expected two or "
            "more of each class. Add images, or remove the class."
        )
    probabilities = np.full((len(labels), len(images.classes)), 1 / len(images.classes))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in splitter.split(features, labels, groups):
        # The more features, the stronger the penalty, so that single images are not memorised.
        penalised = LogisticRegression(C=10 / features.shape[1], max_iter=500)
        model = make_pipeline(StandardScaler(), penalised)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features[train], labels[train])
        seen = model[-1].classes_
        probabilities[test] = 0
        probabilities[np.ix_(test, seen)] = model.predict_proba(features[test])
    return probabilities


def label_suspects(images: ImageSet, probabilities: np.ndarray, k: int = 20) -> pd.DataFrame:
    """List the `k` least likely labels, the most doubtful first.

    Columns: `file`, `label`, `p_label` (probability of the label), `suggested` (the most probable
    class) and `p_suggested`. Labels that are the most probable class are left out, so there may be
    fewer than `k` rows.
    """
    labels = images.table["label"].to_numpy(int)
    rows = np.arange(len(labels))
    best = probabilities.argmax(axis=1)
    table = pd.DataFrame(
        {
            "file": images.table["file"].to_numpy(),
            "label": np.array(images.classes, dtype=object)[labels],
            "p_label": probabilities[rows, labels],
            "suggested": np.array(images.classes, dtype=object)[best],
            "p_suggested": probabilities[rows, best],
        }
    )
    doubtful = table[best != labels].sort_values(["p_label", "file"], kind="stable")
    return doubtful.head(k).reset_index(drop=True)
