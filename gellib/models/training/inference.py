"""Class probabilities of images through a backbone and its head, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from gellib.data import ImageSet
from gellib.data.image_files import ImageLimits
from gellib.models.backbones import Backbone
from gellib.models.features import FeatureStore, extract_stream, unaugmented_view, unaugmented_views
from gellib.models.heads import Head

_ROWS_AT_ONCE = 4096
_FIRST_TIMED, _TIMED_S = 8, 0.5
_GOLDEN = (5**0.5 - 1) / 2


class InferenceTime(NamedTuple):
    """Seconds for all images, from file to probabilities, and images per second."""

    seconds: float
    images_per_s: float


def predict_proba(
    backbone: Backbone,
    head: Head,
    imageset: ImageSet,
    *,
    rows: Sequence[int] | np.ndarray | None = None,
    store: FeatureStore | None = None,
    precision: str = "auto",
    device: torch.device | str = "cpu",
    limits: ImageLimits | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Predict the images of some rows of the table, by default all: (n, classes) float64.

    With a `store`, a frozen backbone's features come from its cache.
    """
    features = image_features(
        backbone,
        imageset,
        rows=rows,
        store=store,
        precision=precision,
        device=device,
        limits=limits,
        progress=progress,
    )
    return head_probabilities(head, features)


def image_features(
    backbone: Backbone,
    imageset: ImageSet,
    *,
    rows: Sequence[int] | np.ndarray | None = None,
    store: FeatureStore | None = None,
    precision: str = "auto",
    device: torch.device | str = "cpu",
    limits: ImageLimits | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Get the features of the images of some rows, by default all: (n, dim) float32.

    With a `store`, those of a frozen backbone come from its cache.
    """
    options: dict[str, Any] = {"precision": precision, "device": device, "progress": progress}
    if store is not None and backbone.frozen:
        features = store.unaugmented(imageset, backbone, **options)
        return features if rows is None else features[np.asarray(rows, dtype=int)]
    rows = np.arange(len(imageset.table)) if rows is None else np.asarray(rows, dtype=int)
    limits = limits or (store.limits if store is not None else ImageLimits())
    paths = list(imageset.table["path"].iloc[rows])
    views = unaugmented_views(paths, backbone.preprocessing, limits)
    return view_features(backbone, views, len(paths), **options)


def predict_images(
    backbone: Backbone,
    head: Head,
    images: Sequence[np.ndarray],
    *,
    precision: str = "auto",
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Predict images that are in memory, as `gellib.data.images.read_image` gives them."""
    views = (unaugmented_view(image, backbone.preprocessing)[None] for image in images)
    features = view_features(backbone, views, len(images), precision=precision, device=device)
    return head_probabilities(head, features)


def time_inference(
    backbone: Backbone,
    head: Head,
    imageset: ImageSet,
    *,
    rows: Sequence[int] | np.ndarray | None = None,
    precision: str = "auto",
    device: torch.device | str = "cpu",
    limits: ImageLimits | None = None,
) -> InferenceTime:
    """Measure the way from files to probabilities; nothing comes from a cache.

    One image goes first, unmeasured, so that the time to set the network up does not count. Then 8,
    16, 32 and so on, evenly spread over the set, until half a second is over or all are through;
    the others are expected to take as long.
    """
    rows = np.arange(len(imageset.table)) if rows is None else np.asarray(rows, dtype=int)
    count = len(rows)
    if not count:
        return InferenceTime(0.0, float("nan"))
    spread = rows[np.argsort(np.arange(count) * _GOLDEN % 1)]  # any beginning of it is even

    def predict(some: np.ndarray) -> None:
        predict_proba(
            backbone, head, imageset, rows=some, precision=precision, device=device, limits=limits
        )

    predict(spread[:1])
    timed, more, seconds, started = 0, _FIRST_TIMED, 0.0, time.perf_counter()
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
    *,
    precision: str = "auto",
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> np.ndarray:
    """Compute the features of views, uint8 (1, channels, H, W) each: (n, dim) float32."""
    stream = extract_stream(
        views,
        backbone,
        precision=precision,
        device=device,
        total=total,
        progress=progress,
        title="predicting",
    )
    features = list(stream)
    return np.concatenate(features) if features else np.empty((0, backbone.dim), np.float32)


def head_probabilities(head: Head, features: np.ndarray) -> np.ndarray:
    """Compute the probabilities (n, classes), float64, that a head gives for features."""
    device = next(head.parameters()).device
    out = np.empty((len(features), head.n_classes))
    head.eval()
    with torch.inference_mode():
        for start in range(0, len(features), _ROWS_AT_ONCE):
            block = torch.from_numpy(np.array(features[start : start + _ROWS_AT_ONCE]))
            logits = head(block.to(device)).cpu().double()
            out[start : start + len(block)] = head.probabilities(logits).numpy()
    return out
