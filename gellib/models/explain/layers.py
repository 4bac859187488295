"""Where in a network a picture is still a picture."""

from __future__ import annotations

import torch
from torch import nn

_POOLING = (nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d)


class ExplainError(ValueError):
    """An explanation cannot be made; the message says why and what to do."""


def last_spatial_layer(network: nn.Module, images: torch.Tensor) -> tuple[str, nn.Module]:
    """Find the last layer, with its name, that gives maps: (N, C, H, W) of 2 x 2 or more.

    In a convolutional network that is what its last convolution leads to, before maps are pooled.
    """
    found: list[tuple[str, nn.Module]] = []

    def hook_of(name: str, layer: nn.Module):
        def hook(module, inputs, output):
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
    # The network as a whole is no layer of it.
    inner = [(name, layer) for name, layer in found if layer is not network]
    if not inner:
        raise ExplainError(
            f"{type(network).__name__} has no layer with maps of 2 x 2 or more for images of "
            f"{tuple(images.shape[2:])}; a larger image_size may have"
        )
    return inner[-1]
