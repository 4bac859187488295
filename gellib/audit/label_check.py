"""Doubtful labels of a data set that was checked."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from gellib.audit.report import CheckReport
from gellib.base.paths import cache_folder
from gellib.data import drop_images
from gellib.data.image_files import ImageLimits

SUSPECT_COLUMNS = ("file", "label", "p_label", "suggested", "p_suggested")


def doubtful_labels(
    report: CheckReport,
    *,
    network: str = "resnet18",
    k: int = 20,
    cache_dir: str | Path = "",
    limits: ImageLimits | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """List the `k` most doubtful labels, by models not trained on the image or its duplicates.

    The table is empty if labels cannot be checked: several per image, or a class of one image.

    Parameters
    ----------
    report
        Result of `check_dataset`; images that cannot be read are left out.
    network
        Frozen backbone whose features the models use; empty: image statistics.
    k
        Maximum number of rows of the table.
    cache_dir
        Folder of cached features; empty: the usual one.
    limits
        Largest file and image that are read.
    progress
        Whether to show a progress bar.
    """
    from gellib.audit.suspects import label_features, label_suspects, out_of_fold
    from gellib.data.duplicates import summarise_images
    from gellib.models.backbones import build_backbone
    from gellib.models.features import FeatureStore

    limits = limits or ImageLimits()
    images = drop_images(report.images, [file for file, _ in report.unreadable])
    if not images.task.exclusive or images.counts().sum(axis=1).min() < 2:
        return pd.DataFrame(columns=list(SUSPECT_COLUMNS))
    if network:
        backbone = build_backbone(network, weights="auto")
        store = FeatureStore(cache_folder(cache_dir or ""), limits)
        features = label_features(images, backbone=backbone, store=store, progress=progress)
    else:
        summaries = summarise_images(list(images.table["path"]), limits)
        features = label_features(images, summaries=summaries)
    readable = set(images.table["file"])
    probabilities = out_of_fold(images, features, duplicates=report.duplicates.only(readable))
    return label_suspects(images, probabilities, k)
