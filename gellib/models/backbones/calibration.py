"""Batch norms of random weights: statistics of images instead of those of no data at all."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from gellib.models.backbones.backbone import Backbone
from gellib.models.backbones.devices import exact_arithmetic


def calibrate_batchnorm(backbone: Backbone, batches: Iterable[torch.Tensor]) -> None:
    """Set the batch norms' statistics of random weights to the averages over `batches`.

    `batches` are normalised images (n, channels, H, W) and count alike, whatever their size.
    Without this the activations of a random network die or explode from layer to layer.
    """
    layers = backbone.batch_norms().values()
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # cumulative average
        layer.train()
    with torch.no_grad(), exact_arithmetic():
        for batch in batches:
            backbone(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
        layer.eval()
    backbone.calibrated = True
