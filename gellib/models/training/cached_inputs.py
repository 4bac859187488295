"""Inputs of training that are computed once and cached: features, and activations before a cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.models.backbones import Backbone, cut_network, list_blocks
from gellib.models.compute import Compute
from gellib.models.features import activation_shape, cached_activations, calibrate_on_images
from gellib.models.training.fold_fits import FoldData
from gellib.models.training.inputs import CachedInputs, RowsOnDisk, split_rows
from gellib.models.training.networks import Tail
from gellib.models.training.objective import encode_labels

# Activations of training and validation images together are cached up to this size.
ACTIVATION_BYTES = 4 << 30


def compute_features(
    config: RunConfig, imageset: ImageSet, backbone: Backbone, compute: Compute
) -> CachedInputs:
    """Compute all features that training a head needs, unless they are in the store.

    The batch norms of random weights are calibrated on the training images first.

    Parameters
    ----------
    config
        The configuration of the run.
    imageset
        The images, split.
    backbone
        The frozen backbone.
    compute
        How to compute, with a store.
    """
    return _inputs(config, imageset, backbone, compute)[0]


def _inputs(
    config: RunConfig, imageset: ImageSet, backbone: Backbone, compute: Compute
) -> tuple[CachedInputs, np.ndarray]:
    """Compute the inputs of training, and the features of all images without augmentation."""
    rows = split_rows(imageset)
    _calibrate(imageset, backbone, compute)
    unaugmented = _unaugmented(imageset, backbone, compute)
    val = RowsOnDisk(unaugmented, rows["val"])
    train: np.ndarray | list[RowsOnDisk] = [RowsOnDisk(unaugmented, rows["train"])]
    if config.has_random_views:
        train = _augmented(config, imageset, rows["train"], backbone, compute)
    return CachedInputs(train, val), unaugmented


def compute_shard(
    config: RunConfig, imageset: ImageSet, backbone: Backbone, start: int, compute: Compute
) -> None:
    """Compute one shard of what `compute_features` computes, unless it is in the store.

    A shard is the unaugmented views of `store.shard` images, and the random views of as many
    training images.

    Parameters
    ----------
    config
        The configuration of the run.
    imageset
        The images, split.
    backbone
        The frozen backbone.
    start
        Position of the first image of the shard, among all images and among the training images.
    compute
        How to compute, with a store.
    """
    shard = slice(start, start + compute.features.shard)
    images = imageset.take(range(len(imageset))[shard])
    train = split_rows(imageset)["train"][shard]
    _calibrate(imageset, backbone, compute)
    if len(images):
        _unaugmented(images, backbone, compute)
    if len(train) and config.has_random_views:
        _augmented(config, imageset, train, backbone, compute)


def fold_data(
    config: RunConfig, imageset: ImageSet, backbone: Backbone, compute: Compute
) -> FoldData:
    """Compute what the fits of a cross-validation share, unless it is in the store.

    Parameters
    ----------
    config
        The configuration of the run.
    imageset
        The images, as from `pool_images`.
    backbone
        The frozen backbone.
    compute
        How to compute, with a store.
    """
    rows = split_rows(imageset)["train"]
    place = np.full(len(imageset), -1)
    place[rows] = np.arange(len(rows))
    inputs, unaugmented = _inputs(config, imageset, backbone, compute)
    return FoldData(
        config,
        inputs,
        unaugmented,
        place,
        encode_labels(imageset),
        imageset.classes,
        compute.device,
    )


def _calibrate(imageset: ImageSet, backbone: Backbone, compute: Compute) -> None:
    if backbone.needs_calibration:
        rows = split_rows(imageset)["train"]
        calibrate_on_images(compute.features, imageset, rows, backbone)


def _unaugmented(imageset: ImageSet, backbone: Backbone, compute: Compute) -> np.ndarray:
    return compute.features.unaugmented(
        imageset,
        backbone,
        precision=compute.precision,
        device=compute.device,
        progress=compute.progress,
    )


def _augmented(
    config: RunConfig, imageset: ImageSet, rows: np.ndarray, backbone: Backbone, compute: Compute
) -> np.ndarray:
    return compute.features.augmented(
        imageset,
        rows,
        backbone,
        augmentation=config.augmentation,
        seed=config.seed,
        epochs=config.frozen_views,
        precision=compute.precision,
        device=compute.device,
        progress=compute.progress,
    )


def compute_activations(
    imageset: ImageSet, backbone: Backbone, layers: Sequence[str], compute: Compute
) -> tuple[nn.Module, CachedInputs] | None:
    """Compute the activations in front of the first layer that is trained.

    Parameters
    ----------
    imageset
        The images, split.
    backbone
        The backbone.
    layers
        The layers that are trained, from front to back.
    compute
        How to compute, with a store.

    Returns
    -------
    tuple or None
        The part of the backbone behind the cut, and its inputs. None if no layer is frozen, the
        network cannot be cut, or the activations take more than `ACTIVATION_BYTES`.
    """
    rows = split_rows(imageset)
    blocks = list_blocks(backbone.network)
    number = next(i for i, block in enumerate(blocks) if layers[0] in block.layers)
    cut = cut_network(backbone.network, blocks[number].name) if number else None
    if cut is None:
        return None
    front, back = cut
    shape = activation_shape(backbone, front)
    count = len(rows["train"]) + len(rows["val"])
    if 4 * count * shape.numel() > ACTIVATION_BYTES:
        return None
    train, val = (
        cached_activations(
            compute.features,
            imageset,
            rows[split],
            backbone,
            front,
            before=blocks[number].name,
            device=compute.device,
            progress=compute.progress,
        )
        for split in ("train", "val")
    )
    return Tail(backbone, back), CachedInputs(train[None], val)
