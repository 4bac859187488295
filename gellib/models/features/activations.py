"""Activations in front of the trained part of a backbone, computed once and cached on disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from gellib.data import ImageSet
from gellib.models.backbones import Backbone, exact_arithmetic, normalise
from gellib.models.features.extraction import (
    default_batch_size,
    rebatch,
    unaugmented_views,
)
from gellib.models.features.identity import ensure_digests, feature_facts
from gellib.models.features.image_bars import Bar, ShowProgress, progress_bar
from gellib.models.features.store import FeatureStore


def activation_shape(backbone: Backbone, front: nn.Module) -> torch.Size:
    """Return the shape of the activations that the front of a cut backbone computes per image."""
    prep = backbone.preprocessing
    device = next(backbone.parameters()).device
    image = torch.zeros(1, len(prep.mean), prep.image_size, prep.image_size, device=device)
    with torch.inference_mode():
        return front(image).shape[1:]


def cached_activations(
    store: FeatureStore,
    imageset: ImageSet,
    rows: Sequence[int] | np.ndarray,
    backbone: Backbone,
    front: nn.Module,
    *,
    before: str,
    device: torch.device | str = "cpu",
    progress: ShowProgress = False,
) -> np.ndarray:
    """Get the activations of some images in front of a block of a backbone, in fp32.

    Parameters
    ----------
    store
        The cache.
    imageset
        The images.
    rows
        Which of them, as rows of the table.
    backbone
        The backbone, which is moved to `device`.
    front
        Its part in front of the block, as from `cut_network`.
    before
        Name of the block.
    device
        Where to compute.
    progress
        Whether to show a progress bar.

    Returns
    -------
    np.ndarray
        Activations (len(rows), *activation_shape), float32, read-only.
    """
    table = ensure_digests(imageset).table.iloc[list(rows)]
    paths = list(table["path"])
    facts = feature_facts(backbone, table["digest"], "fp32", device) | {"view": f"to {before}"}
    title = f"{backbone.name} up to {before}"
    shape = (len(paths), *activation_shape(backbone.to(device), front))

    def compute(out: np.ndarray) -> None:
        with progress_bar(progress, len(paths), title) as bar:
            views = unaugmented_views(paths, backbone.preprocessing, store.limits)
            fill_activations(out, views, backbone, front, device, bar)

    return store.cached(facts, shape, compute, title)


def fill_activations(
    out: np.ndarray,
    views: Iterable[np.ndarray],
    backbone: Backbone,
    front: nn.Module,
    device: torch.device | str,
    bar: Bar,
) -> None:
    """Fill an array with the activations that the front of a cut backbone computes, in fp32.

    Parameters
    ----------
    out
        The array to fill, (n, ...) float32.
    views
        Blocks of views (..., channels, H, W), uint8; n in total.
    backbone
        The backbone, for its preprocessing.
    front
        Its front part.
    device
        Where `front` is.
    bar
        The progress bar to advance, which counts views.
    """
    done = 0
    with torch.inference_mode(), exact_arithmetic():
        for pixels in rebatch(views, default_batch_size(device)):
            images = torch.from_numpy(pixels).to(device)
            values = front(normalise(images, backbone.preprocessing))
            out[done : done + len(pixels)] = values.cpu().numpy()
            done += len(pixels)
            bar.update(len(pixels))
