"""Fill arrays with features: of unaugmented views, of random views, or from shards of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gellib.data import ImageSet
from gellib.data.image_files import ImageLimits
from gellib.models.backbones import Backbone
from gellib.models.features.augmentation import check_augmentation
from gellib.models.features.cache import drop_pages
from gellib.models.features.extraction import (
    augmented_views,
    extract_stream,
    unaugmented_views,
)
from gellib.models.features.image_bars import Bar


def fill_unaugmented(
    out: np.ndarray, images: ImageSet, backbone: Backbone, limits: ImageLimits, **options: Any
) -> None:
    """Fill an array with the features of all images.

    Parameters
    ----------
    out
        The array to fill, (n, dim) float32.
    images
        The n images.
    backbone
        The backbone.
    limits
        Size of files and images that are refused.
    **options
        As for `extract_stream`.
    """
    views = unaugmented_views(list(images.table["path"]), backbone.preprocessing, limits)
    done = 0
    for features in extract_stream(views, backbone, total=len(images), **options):
        out[done : done + len(features)] = features
        done += len(features)


def fill_augmented(
    out: np.ndarray,
    images: ImageSet,
    backbone: Backbone,
    limits: ImageLimits,
    *,
    augmentation: str,
    seed: int,
    **options: Any,
) -> None:
    """Fill an array with the features of one random view per image and epoch.

    Parameters
    ----------
    out
        The array to fill, (epochs, n, dim) float32; its first entry is epoch 1.
    images
        The n images, with their digests.
    backbone
        The backbone.
    limits
        Size of files and images that are refused.
    augmentation
        The random steps, as for `check_augmentation`.
    seed
        Seed of the run.
    **options
        As for `extract_stream`.
    """
    where: list[tuple[int, int]] = []

    def blocks() -> Iterator[np.ndarray]:
        for i, part, block in augmented_views(
            list(images.table["path"]),
            list(images.table["digest"]),
            backbone.preprocessing,
            limits,
            steps=check_augmentation(augmentation),
            seed=seed,
            epochs=range(1, len(out) + 1),
        ):
            where.extend((epoch - 1, i) for epoch in part)
            yield block

    total = len(out) * len(images)
    for features in extract_stream(blocks(), backbone, total=total, **options):
        indices = np.array(where[: len(features)])
        out[indices[:, 0], indices[:, 1]] = features
        del where[: len(features)]


def join_shards(
    out: np.ndarray, size: int, features_of: Callable[[range], np.ndarray], bar: Bar
) -> None:
    """Fill an array with features that are computed shard by shard.

    Parameters
    ----------
    out
        The array to fill, (..., n, dim) float32.
    size
        Number of images per shard.
    features_of
        A function that returns the features (..., size, dim) of a range of images.
    bar
        The progress bar to advance, which counts views.
    """
    count = out.shape[-2]
    views = out[..., 0].size // count
    for start in range(0, count, size):
        rows = range(start, min(start + size, count))
        out[..., rows.start : rows.stop, :] = features_of(rows)
        drop_pages(out)
        bar.update(views * rows.stop - bar.n)  # also counts the views of cached shards
