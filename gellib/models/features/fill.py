"""Arrays filled with features: of plain views, of random ones, or from shards of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.data import ImageSet
from gellib.data.image_files import ImageLimits
from gellib.models.backbones import Backbone, exact_arithmetic, normalise
from gellib.models.features.augmentation import check_augmentation
from gellib.models.features.cache import drop_pages
from gellib.models.features.extraction import (
    augmented_views,
    default_batch_size,
    extract_stream,
    rebatch,
    unaugmented_views,
)


def fill_unaugmented(
    out: np.ndarray, images: ImageSet, backbone: Backbone, limits: ImageLimits, **options: Any
) -> None:
    """Fill (n, dim) with the features of all images; `options` are those of `extract_stream`."""
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
    """Fill (epochs, n, dim) with the features of random views, from epoch 1 on."""
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


def fill_activations(
    out: np.ndarray,
    views: Iterable[np.ndarray],
    backbone: Backbone,
    front: nn.Module,
    device: torch.device | str,
    bar: tqdm,
) -> None:
    """Fill (n, ...) with what the front of a cut backbone gives for plain views, in fp32."""
    done = 0
    with torch.inference_mode(), exact_arithmetic():
        for pixels in rebatch(views, default_batch_size(device)):
            images = torch.from_numpy(pixels).to(device)
            values = front(normalise(images, backbone.preprocessing))
            out[done : done + len(pixels)] = values.cpu().numpy()
            done += len(pixels)
            bar.update(len(pixels))


def join_shards(
    out: np.ndarray, size: int, features_of: Callable[[range], np.ndarray], bar: tqdm
) -> None:
    """Fill (..., n, dim) from the features of `size` images after another."""
    count = out.shape[-2]
    views = out[..., 0].size // count
    for start in range(0, count, size):
        rows = range(start, min(start + size, count))
        out[..., rows.start : rows.stop, :] = features_of(rows)
        drop_pages(out)
        bar.update(views * rows.stop - bar.n)  # those that were there before count as well
