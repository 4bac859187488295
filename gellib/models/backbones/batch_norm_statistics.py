"""Batch norms of a backbone with random weights: set their statistics from images."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from gellib.models.backbones.backbone import Backbone
from gellib.models.backbones.devices import exact_arithmetic


def calibrate_batchnorm(backbone: Backbone, batches: Iterable[torch.Tensor]) -> None:
    """Set the statistics of a backbone's batch norms to the averages over `batches`.

    `batches` are normalised images (n, channels, H, W). Each batch has the same weight, whatever
    its size. Without calibration the activations of a backbone with random weights vanish or
    explode from layer to layer.
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
