"""The last layer of a network whose output still has spatial dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

_POOLING = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d)


class ExplainError(ValueError):
    """An explanation cannot be computed; the message says why and what to do."""


def last_spatial_layer(network: nn.Module, images: torch.Tensor) -> tuple[str, nn.Module]:
    """Find the last layer, with its name, whose output is maps (N, C, H, W) of 2 x 2 or more.

    In a convolutional network this is the layer before the global pooling.

    Raises
    ------
    ExplainError
        When no layer has such maps for images of this size.
    """
    found: list[tuple[str, nn.Module]] = []

    def hook_of(name: str, layer: nn.Module) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            maps = isinstance(output, torch.Tensor) and output.ndim == 4
            if maps and min(output.shape[2:]) >= 2 and len(output) == len(images):
                found.append((name, layer))

        return hook

    hooks = [
        layer.register_forward_hook(hook_of(name, layer))
        for name, layer in network.named_modules()
        if not isinstance(layer, _POOLING)
    ]
    try:
        with torch.no_grad():
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    # The hook of the network itself has fired, too.
    inner = [(name, layer) for name, layer in found if layer is not network]
    if not inner:
        raise ExplainError(
            f"{type(network).__name__} has no layer with maps of 2 x 2 or more for images of "
            f"{tuple(images.shape[2:])}; try a larger image_size"
        )
    return inner[-1]
