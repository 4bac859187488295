"""Predictions of a backbone and its head, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from gellib.data import ImageSet
from gellib.models.backbones import Backbone
from gellib.models.compute import ON_CPU, Compute
from gellib.models.features import extract_stream, unaugmented_view, unaugmented_views
from gellib.models.heads import Head

_ROWS_AT_ONCE = 4096
_LEAST_TIMED, _FIRST_TIMED, _TIMED_S = 2, 8, 0.5
_GOLDEN = (5**0.5 - 1) / 2


class InferenceTime(NamedTuple):
    """Seconds for all images, from files to probabilities, and images per second."""

    seconds: float
    images_per_s: float


def predict_proba(
    backbone: Backbone,
    head: Head,
    imageset: ImageSet,
    compute: Compute = ON_CPU,
    *,
    rows: Sequence[int] | np.ndarray | None = None,
    cached: bool = True,
) -> np.ndarray:
    """Predict the probabilities of all classes, not calibrated.

    Parameters
    ----------
    backbone, head
        The model.
    imageset, compute, rows, cached
        As for `image_features`.

    Returns
    -------
    np.ndarray
        Probabilities (n, classes), float64.
    """
    features = image_features(backbone, imageset, compute, rows=rows, cached=cached)
    return head_probabilities(head, features)


def image_features(
    backbone: Backbone,
    imageset: ImageSet,
    compute: Compute = ON_CPU,
    *,
    rows: Sequence[int] | np.ndarray | None = None,
    cached: bool = True,
) -> np.ndarray:
    """Get the features of images without augmentation.

    Parameters
    ----------
    backbone
        The backbone.
    imageset
        The images.
    compute
        How to compute.
    rows
        n rows of the table of the images; None: all rows.
    cached
        Whether a frozen backbone's features come from the store, if there is one.

    Returns
    -------
    np.ndarray
        Features (n, dim), float32.
    """
    if cached and compute.store is not None and backbone.frozen:
        features = compute.store.unaugmented(
            imageset,
            backbone,
            precision=compute.precision,
            device=compute.device,
            progress=compute.progress,
        )
        return features if rows is None else features[np.asarray(rows, dtype=int)]
    rows = np.arange(len(imageset.table)) if rows is None else np.asarray(rows, dtype=int)
    paths = list(imageset.table["path"].iloc[rows])
    views = unaugmented_views(paths, backbone.preprocessing, compute.limits)
    return view_features(backbone, views, len(paths), compute)


def predict_images(
    backbone: Backbone,
    head: Head,
    images: Sequence[np.ndarray],
    compute: Compute = ON_CPU,
) -> np.ndarray:
    """Predict the probabilities of all classes for images in memory, not calibrated.

    Parameters
    ----------
    backbone, head
        The model.
    images
        n images, as from `gellib.data.images.read_image`.
    compute
        How to compute.

    Returns
    -------
    np.ndarray
        Probabilities (n, classes), float64.
    """
    views = (unaugmented_view(image, backbone.preprocessing)[None] for image in images)
    return head_probabilities(head, view_features(backbone, views, len(images), compute))


def time_inference(
    backbone: Backbone,
    head: Head,
    imageset: ImageSet,
    compute: Compute = ON_CPU,
    *,
    rows: Sequence[int] | np.ndarray | None = None,
) -> InferenceTime:
    """Measure how long predictions take from files to probabilities, without the cache.

    One image is predicted first and does not count, because the first prediction sets up the
    network. Then 8, 16, 32 and so on are timed (fewer of a network that needs over 60 ms for an
    image), evenly spread over the images, until half a second has passed or all are predicted; the
    time of the others is extrapolated.

    Parameters
    ----------
    backbone, head
        The model.
    imageset
        The images.
    compute
        How to compute.
    rows
        Rows of the table of the images; None: all rows.
    """
    rows = np.arange(len(imageset.table)) if rows is None else np.asarray(rows, dtype=int)
    count = len(rows)
    if not count:
        return InferenceTime(0.0, float("nan"))
    spread = rows[np.argsort(np.arange(count) * _GOLDEN % 1)]  # its first k rows are even for all k

    def predict(some: np.ndarray) -> None:
        predict_proba(backbone, head, imageset, compute, rows=some, cached=False)

    started = time.perf_counter()
    predict(spread[:1])
    fit = int(_TIMED_S / (time.perf_counter() - started))
    timed, more, seconds = 0, min(max(fit, _LEAST_TIMED), _FIRST_TIMED), 0.0
    started = time.perf_counter()
    while timed < count and seconds < _TIMED_S:
        predict(spread[timed : timed + more])
        timed, more = min(timed + more, count), 2 * more
        seconds = time.perf_counter() - started
    images_per_s = timed / seconds
    return InferenceTime(count / images_per_s, images_per_s)


def view_features(
    backbone: Backbone,
    views: Iterable[np.ndarray],
    total: int,
    compute: Compute = ON_CPU,
) -> np.ndarray:
    """Compute the features of views.

    Parameters
    ----------
    backbone
        The backbone.
    views
        Views (1, channels, H, W), uint8.
    total
        Number of views, for the progress bar.
    compute
        How to compute.

    Returns
    -------
    np.ndarray
        Features (total, dim), float32.
    """
    stream = extract_stream(
        views,
        backbone,
        precision=compute.precision,
        device=compute.device,
        total=total,
        progress=compute.progress,
        title="predicting",
    )
    features = list(stream)
    return np.concatenate(features) if features else np.empty((0, backbone.dim), np.float32)


def head_probabilities(head: Head, features: np.ndarray) -> np.ndarray:
    """Compute probabilities (n, classes), float64, from features (n, dim)."""
    device = next(head.parameters()).device
    out = np.empty((len(features), head.n_classes))
    head.eval()
    with torch.inference_mode():
        for start in range(0, len(features), _ROWS_AT_ONCE):
            block = torch.from_numpy(np.array(features[start : start + _ROWS_AT_ONCE]))
            logits = head(block.to(device)).cpu().double()
            out[start : start + len(block)] = head.probabilities(logits).numpy()
    return out
