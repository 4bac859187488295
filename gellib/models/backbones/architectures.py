"""The classifiers of torchvision, their last linear layer and their first convolution."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models import get_model, get_model_weights, list_models

from gellib.base.text import did_you_mean

ALIASES = {
    "mobilenet-v3": "mobilenet_v3_large",  # a name of the reference gel system
    "efficientnet-b0": "efficientnet_b0",
    "efficientnet-b2": "efficientnet_b2",
    "vit-b-16": "vit_b_16",
}

# These train with a second classifier on the side and would normalise their input themselves.
_WITH_SIDE_CLASSIFIER = ("googlenet", "inception_v3")
_NO_LINEAR_LAYER = ("squeezenet1_0", "squeezenet1_1")


class BackboneError(ValueError):
    """A backbone, its weights or its input do not fit; the message says what to do."""


def list_backbones() -> list[str]:
    """List the names that `build_backbone` takes: torchvision's classifiers and the aliases."""
    return [*ALIASES, *_torchvision_names()]


@cache
def _torchvision_names() -> tuple[str, ...]:
    names = list_models(module=torchvision.models)
    return tuple(name for name in names if name not in _NO_LINEAR_LAYER)


def check_backbone(name: str) -> str:
    """Turn a name or an alias into torchvision's name.

    `vgg11` is the network without batch normalisation, as in torchvision; with it: `vgg11_bn`.

    Raises
    ------
    BackboneError
        For an unknown name, with the nearest known one.
    """
    known = list_backbones()
    if name in _NO_LINEAR_LAYER:
        raise BackboneError(
            f"pretrained_model: {name!r} has no linear layer to cut at; choose another network, "
            "such as 'resnet18'"
        )
    if name not in known:
        hint = did_you_mean(name, known)
        raise BackboneError(
            f"pretrained_model: got {name!r}, which is no classification model of torchvision: "
            f"{hint}Common ones: resnet18, vgg16, mobilenet-v3, densenet121, "
            "efficientnet_b0, vit_b_16; all: gellib.models.backbones.list_backbones()"
        )
    return ALIASES.get(name, name)


def default_weights(name: str) -> Any:
    """Get torchvision's recommended weights of a network (the enum member called `DEFAULT`)."""
    return get_model_weights(name).DEFAULT


def make_network(name: str, image_size: int) -> nn.Module:
    """Build a network of torchvision with its own random initialisation, classifier included."""
    options: dict[str, Any] = {}
    if name in _WITH_SIDE_CLASSIFIER:
        options = {"aux_logits": False, "init_weights": False, "transform_input": False}
    elif name.startswith("vit_"):
        options = {"image_size": image_size}
    elif name.startswith("maxvit_"):
        options = {"input_size": (image_size, image_size)}
    try:
        return get_model(name, weights=None, **options).eval()
    except (ValueError, RuntimeError, AssertionError) as err:  # as `torch._assert` raises it
        if not options:
            raise
        raise BackboneError(
            f"image_size: got {image_size}, which {name} cannot take ({err}); 224 works"
        ) from err


def input_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Get mean and standard deviation per colour channel that the weights' own transforms use."""
    if name in _WITH_SIDE_CLASSIFIER:  # what their `transform_input` turns torchvision's into
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    transforms = default_weights(name).transforms()
    return tuple(transforms.mean), tuple(transforms.std)


def last_linear(network: nn.Module) -> tuple[str, nn.Linear]:
    """Find the last linear layer, the classifier proper, with its name in the network."""
    found = [(name, layer) for name, layer in network.named_modules() if _is_linear(layer)]
    if not found:
        raise BackboneError(f"{type(network).__name__} has no linear layer to cut at")
    return found[-1]


def _is_linear(layer: nn.Module) -> bool:
    # Attention has a linear sub-class inside that is never the classifier.
    return type(layer) is nn.Linear


def first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    """Find the first convolution, which takes the image, with its name in the network."""
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.in_channels != 3:
                break
            return name, layer
    raise BackboneError(f"{type(network).__name__} has no first convolution for three channels")


def replace_layer(network: nn.Module, name: str, layer: nn.Module) -> None:
    """Put `layer` where the layer called `name` is."""
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, layer)


def batch_norms(network: nn.Module) -> dict[str, nn.Module]:
    """Find the batch normalisations that keep running statistics, by name."""
    kinds = torch.nn.modules.batchnorm._BatchNorm
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, kinds) and layer.track_running_stats
    }
