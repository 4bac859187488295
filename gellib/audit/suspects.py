"""Labels that are probably wrong: those that a classifier which never saw them finds unlikely."""

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
from gellib.data.duplicates import Duplicates, Look, group_images
from gellib.models.backbones import Backbone
from gellib.models.features import FeatureStore

FOLDS = 5
_STATISTICS_SIDE = 4


def image_features(
    images: ImageSet,
    *,
    backbone: Backbone | None = None,
    store: FeatureStore | None = None,
    looks: Sequence[Look] = (),
    progress: bool = False,
) -> np.ndarray:
    """Describe each image by numbers (n, features) to judge its label by.

    That is what a frozen network sees in it or, without a network, what its `looks` say: a very
    small picture, brightness, contrast, and how its detail is spread over fine and coarse.

    Parameters
    ----------
    images
        n images.
    backbone, store
        Frozen network, and where its features are kept; both or none.
    looks
        Without a network: what `look_at` found of each image, in their order.
    progress
        Whether to show a progress bar while features are computed.
    """
    if backbone is not None and store is not None:
        return np.array(store.unaugmented(images, backbone, progress=progress))
    pictures = np.stack([look.small for look in looks if look.small is not None]).astype(np.float32)
    n, full = pictures.shape[:2]
    factor = full // _STATISTICS_SIDE
    tiny = pictures.reshape(n, _STATISTICS_SIDE, factor, _STATISTICS_SIDE, factor).mean((2, 4))
    level, spread = pictures.mean((1, 2)), pictures.std((1, 2))
    tiny = (tiny - level[:, None, None]) / np.maximum(spread[:, None, None], 1)
    power = np.abs(np.fft.rfft2(pictures - level[:, None, None]))
    rows = np.abs(np.fft.fftfreq(full) * full)[:, None]
    columns = np.arange(power.shape[2])[None]
    spectrum = []
    for low, high in ((1, 2), (2, 4), (4, 8), (8, 16), (16, 33)):
        for flat in (rows >= columns, rows < columns):  # lying and standing detail apart
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
    """Probability of each class for each image (n, classes) from models that never saw it.

    Nor did they see its duplicates, or others of its group: those would vouch for a wrong label.

    Parameters
    ----------
    images
        n images with one label each.
    features
        (n, features), a row for each image.
    duplicates
        Images that stay on one side of each fold, besides those of one group.
    seed
        Fixes the folds.

    Raises
    ------
    ValueError
        With several labels per image, or where a class has a single image or group.
    """
    if images.task == "multilabel":
        raise ValueError("labels are judged where an image has one; this set has several an image")
    labels = images.table["label"].to_numpy(int)
    grouped = group_images(images, duplicates) if duplicates else images
    names = [group or file for group, file in grouped.table[["group", "file"]].to_numpy()]
    groups = pd.factorize(pd.Series(names))[0]
    folds = min(FOLDS, len(set(groups)), int(np.bincount(labels).min()))
    if folds < 2:
        raise ValueError(
            "labels cannot be judged: some class has a single image or group. Expected two or "
            "more of each class."
        )
    probabilities = np.full((len(labels), len(images.classes)), 1 / len(images.classes))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for train, test in splitter.split(features, labels, groups):
        # The more features, the stronger the penalty: they must not learn single images by heart.
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
    """List the `k` labels that are the least likely, the most doubtful first.

    Columns: `file`, `label`, `p_label` (how likely the label is), `suggested` and `p_suggested`
    (the likeliest class). Labels that are likely themselves are left out, so there may be fewer.
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
