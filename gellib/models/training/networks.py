"""Networks as they are trained: their parts, memory layout and arithmetic."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from gellib.models.backbones import Backbone, resolve_precision
from gellib.models.compute import Compute


class Tail(nn.Module):
    """The layers of a backbone behind a cut: activations to features."""

    def __init__(self, backbone: Backbone, back: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone  # its `train` decides which layers go into training mode
        self._back = [back]  # in a list, so that its layers, those of `backbone`, count once

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        """Compute features (N, dim)."""
        return self._back[0](channels_last(activations)).flatten(1)


class ImageBackbone(nn.Module):
    """A backbone whose input is batches of images in any memory layout."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute features (N, dim)."""
        return self.backbone(channels_last(images))


def channels_last(batch: torch.Tensor) -> torch.Tensor:
    """Use the memory layout "channels last" on a CPU, where training is faster with it."""
    if batch.device.type != "cpu" or batch.ndim != 4:
        return batch
    return batch.contiguous(memory_format=torch.channels_last)


def move_backbone(backbone: Backbone, device: torch.device) -> None:
    """Move a backbone to the device where it is trained, in the memory layout that is faster."""
    backbone.to(device)
    if device.type == "cpu":
        backbone.to(memory_format=torch.channels_last)


def training_precision(compute: Compute, network: nn.Module) -> Literal["fp32", "bf16"]:
    """Choose the arithmetic of layers that are trained; `bf16` means mixed precision.

    `auto` is bf16 where the hardware computes in it, except for networks with depthwise
    convolutions on a CPU, whose gradients are slower in bf16 (EfficientNet trains at half the speed
    on small images). `fp16` would need scaled gradients; fp32 is used instead.
    """
    if compute.precision != "auto":
        return "bf16" if compute.precision == "bf16" else "fp32"
    slow = compute.device.type == "cpu" and any(map(_is_depthwise, network.modules()))
    return "bf16" if resolve_precision("auto", compute.device) == "bf16" and not slow else "fp32"


def _is_depthwise(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels
