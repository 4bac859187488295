"""Networks pretrained on simulated images: their weights, architecture and metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from gellib.config.known_names import BACKBONE_ALIASES
from gellib.models.backbones.network_parts import last_linear, replace_layer
from gellib.models.backbones.sources import BackboneError, find_source

WEIGHTS_DIR = Path(__file__).resolve().parents[2] / "labsim" / "weights"
FACTS_KEY = "gellib_pretrained"  # in the metadata of a safetensors file
PRETRAINABLE = ("resnet18", "mobilenet_v3_large", "vgg16")
_IMAGE_SIZE = 224


def shipped_weights(name: str) -> Path:
    """Return the file with the weights that gellib includes for a backbone (a name or an alias).

    Raises
    ------
    BackboneError
        When there is none.
    """
    files = _shipped()
    try:
        return files[BACKBONE_ALIASES.get(name, name)]
    except KeyError:
        shipped = ", ".join(sorted(file.stem for file in files.values())) or "none"
        raise BackboneError(
            f"gellib includes no weights pretrained on simulated images for {name!r}; it includes "
            f"those of: {shipped}"
        ) from None


def has_shipped_weights(name: str) -> bool:
    """Whether gellib includes weights for a backbone (a name or an alias)."""
    return BACKBONE_ALIASES.get(name, name) in _shipped()


def shipped_card(name: str) -> dict[str, Any]:
    """Read the card of a backbone's included weights: how they were made, how good they are.

    Raises
    ------
    BackboneError
        When gellib includes no weights for it.
    """
    return json.loads(shipped_weights(name).with_suffix(".json").read_text(encoding="utf-8"))


def _shipped() -> dict[str, Path]:
    files = WEIGHTS_DIR.glob("*.safetensors")
    return {BACKBONE_ALIASES.get(file.stem, file.stem): file for file in files}


def pool_features(network: nn.Module) -> nn.Module:
    """Replace VGG's three linear layers by one on the average of its last convolution, in place.

    The three have 120 of its 138 million weights: too many to train in minutes, or to include.
    """
    layers = network.get_submodule("features").modules()
    channels = [layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d)][-1]
    network.avgpool = nn.AdaptiveAvgPool2d(1)
    network.classifier = nn.Sequential(nn.Linear(channels, 1))
    return network


def make_classifier(name: str, n_classes: int) -> nn.Module:
    """Build one of `PRETRAINABLE` (or `vgg16_bn`) for `n_classes` classes, with random weights."""
    network = find_source(name).make_network(name, _IMAGE_SIZE)
    if name.startswith("vgg"):
        pool_features(network)
    where, layer = last_linear(network)
    replace_layer(network, where, nn.Linear(layer.in_features, n_classes))
    return network


def pretrained_facts(path: str | Path) -> dict[str, Any] | None:
    """Read the metadata that `gellib pretrain` wrote into its file; None for any other file.

    The keys are `backbone` (torchvision's name), `classes` (whether each simulated class is a gel,
    by name, in the order of the class head), `classifier` (name of the head's layer) and `pooled`
    (whether the network was changed by `pool_features`).
    """
    try:
        with safe_open(Path(path).expanduser(), framework="pt") as file:
            text = (file.metadata() or {}).get(FACTS_KEY)
    except (SafetensorError, OSError):
        return None
    return json.loads(text) if text else None
