"""Networks pretrained on simulated images: their form, and what their files say of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from gellib.models.backbones.architectures import (
    ALIASES,
    BackboneError,
    last_linear,
    make_network,
    replace_layer,
)

WEIGHTS_DIR = Path(__file__).resolve().parents[2] / "labsim" / "weights"
FACTS_KEY = "gellib_pretrained"  # of the metadata in the header of a safetensors file
PRETRAINABLE = ("resnet18", "mobilenet_v3_large", "vgg16")
_IMAGE_SIZE = 224


def shipped_weights(name: str) -> Path:
    """Find the file of weights that comes with gellib for a network (a name or an alias).

    Raises
    ------
    BackboneError
        When there is none.
    """
    files = _shipped()
    try:
        return files[ALIASES.get(name, name)]
    except KeyError:
        shipped = ", ".join(sorted(file.stem for file in files.values())) or "none"
        raise BackboneError(
            f"no weights pretrained on simulated images come with gellib for {name!r}; there are: "
            f"{shipped}"
        ) from None


def has_shipped_weights(name: str) -> bool:
    """Whether weights come with gellib for a network (a name or an alias)."""
    return ALIASES.get(name, name) in _shipped()


def shipped_card(name: str) -> dict[str, Any]:
    """Read the card of a network's shipped weights: how they were made, how good they are."""
    return json.loads(shipped_weights(name).with_suffix(".json").read_text(encoding="utf-8"))


def _shipped() -> dict[str, Path]:
    files = WEIGHTS_DIR.glob("*.safetensors")
    return {ALIASES.get(file.stem, file.stem): file for file in files}


def pool_features(network: nn.Module) -> nn.Module:
    """Put one linear layer on the average of VGG's convolutions, in place of its three.

    Those hold 120 of its 138 million numbers: too many to learn in minutes, or to ship.
    """
    convolutions = [layer for layer in network.features if isinstance(layer, nn.Conv2d)]
    channels = convolutions[-1].out_channels
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Sequential(nn.Linear(channels, 1))
    return network


def make_classifier(name: str, n_classes: int) -> nn.Module:
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
