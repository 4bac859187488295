"""Statistics for the batch norms of a backbone with random weights, cached on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from gellib.data import ImageSet
from gellib.models.backbones import (
    Backbone,
    calibrate_batchnorm,
    normalise,
    running_statistics,
)
from gellib.models.features.extraction import unaugmented_views
from gellib.models.features.identity import ensure_digests, feature_facts
from gellib.models.features.store import FeatureStore

CALIBRATION_IMAGES = 1024
_CALIBRATION_BATCH = 32


def calibrate_on_images(
    store: FeatureStore,
    imageset: ImageSet,
    rows: Sequence[int] | np.ndarray,
    backbone: Backbone,
) -> None:
    """Set the batch norms of a backbone with random weights from unaugmented views, in fp32.

    Parameters
    ----------
    store
        The cache for the statistics.
    imageset
        The images.
    rows
        Which of them, as rows of the table; at most `CALIBRATION_IMAGES`, evenly spaced, are used.
    backbone
        The backbone, which is changed in place.
    """
    every = max(1, -(-len(rows) // CALIBRATION_IMAGES))
    table = ensure_digests(imageset).table.iloc[list(rows)[::every]]
    facts = feature_facts(backbone, table["digest"], "fp32", "cpu") | {"view": "batch norms"}
    norms = backbone.batch_norms().values()
    buffers = [buffer for norm in norms for buffer in running_statistics(norm)]

    def compute(out: np.ndarray) -> None:
        views = unaugmented_views(list(table["path"]), backbone.preprocessing, store.limits)
        calibrate_batchnorm(backbone, _even_batches(views, len(table), backbone))
        out[:] = torch.cat(buffers).numpy()

    shape = (sum(len(buffer) for buffer in buffers),)
    values = store.cached(facts, shape, compute, f"{backbone.name} batch norm statistics")
    parts = torch.from_numpy(np.array(values)).split([len(buffer) for buffer in buffers])
    for buffer, part in zip(buffers, parts, strict=True):
        buffer.copy_(part)
    backbone.calibrated = True


def _even_batches(
    views: Iterator[np.ndarray], count: int, backbone: Backbone
) -> Iterator[torch.Tensor]:
    """Join views to normalised batches of nearly equal size, none of a single image."""
    n_batches = -(-count // _CALIBRATION_BATCH)
    for part in np.array_split(np.arange(count), n_batches):
        pixels = torch.from_numpy(np.concatenate([next(views) for _ in part]))
        yield normalise(pixels, backbone.preprocessing)
