"""Networks pretrained on simulated images: their form, and what their files say of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from gellib.backbones.architectures import last_linear, make_network, replace_layer

FACTS_KEY = "gellib_pretrained"  # of the metadata in the header of a safetensors file
PRETRAINABLE = ("resnet18", "mobilenet_v3_large", "vgg16")
_IMAGE_SIZE = 224


def pool_features(network: nn.Module) -> nn.Module:
    """Put one linear layer on the average of VGG's convolutions, in place of its three.

    Those hold 120 of its 138 million numbers: too many to learn in minutes, or to ship.
    """
    convolutions = [layer for layer in network.features if isinstance(layer, nn.Conv2d)]
    channels = convolutions[-1].out_channels
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Sequential(nn.Linear(channels, 1))
    return network


def class_network(name: str, n_classes: int) -> nn.Module:
    """Build one of `PRETRAINABLE` (or `vgg16_bn`) for some classes, with random weights."""
    network = make_network(name, _IMAGE_SIZE)
    if name.startswith("vgg"):
        pool_features(network)
    where, layer = last_linear(network)
    replace_layer(network, where, nn.Linear(layer.in_features, n_classes))
    return network


def pretrained_facts(path: str | Path) -> dict[str, Any] | None:
    """Read what `gellib pretrain` wrote into the header of its file; None for any other file.

    They are `backbone` (torchvision's name), `classes` (name of each simulated class in the order
    of the class head: is it a gel), `classifier` (name of the head's layer) and `pooled` (whether
    the network is that of `pool_features`).
    """
    try:
        with safe_open(Path(path).expanduser(), framework="pt") as file:
            text = (file.metadata() or {}).get(FACTS_KEY)
    except (SafetensorError, OSError):
        return None
    return json.loads(text) if text else None
