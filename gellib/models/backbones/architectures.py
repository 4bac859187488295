"""Torchvision's classifiers: their names, last linear layer, first convolution, batch norms."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torchvision
from torch import nn
from torchvision.models import WeightsEnum, get_model, get_model_weights, list_models

from gellib.base.text import did_you_mean

ALIASES = {
    "mobilenet-v3": "mobilenet_v3_large",  # its name in the reference gel system
    "efficientnet-b0": "efficientnet_b0",
    "efficientnet-b2": "efficientnet_b2",
    "vit-b-16": "vit_b_16",
}

# These are trained with an auxiliary classifier and would normalise their input themselves.
_WITH_AUXILIARY_CLASSIFIER = ("googlenet", "inception_v3")
_NO_LINEAR_LAYER = ("squeezenet1_0", "squeezenet1_1")

BatchNorm = torch.nn.modules.batchnorm._BatchNorm  # of any number of dimensions


class BackboneError(ValueError):
    """A backbone, its weights or its input do not fit; the message says what to do."""


def list_backbones() -> list[str]:
    """List the names that `build_backbone` accepts: torchvision's classifiers and the aliases."""
    return [*ALIASES, *_torchvision_names()]


@cache
def _torchvision_names() -> tuple[str, ...]:
    names = list_models(module=torchvision.models)
    return tuple(name for name in names if name not in _NO_LINEAR_LAYER)


def check_backbone(name: str) -> str:
    """Check the name of a backbone and replace an alias by torchvision's name.

    As in torchvision, `vgg11` has no batch normalisation; `vgg11_bn` has it.

    Raises
    ------
    BackboneError
        For an unknown name, with the nearest known one.
    """
    known = list_backbones()
    if name in _NO_LINEAR_LAYER:
        raise BackboneError(
            f"pretrained_model: {name!r} has no linear layer, so its features cannot be separated "
            "from its classifier; choose another backbone, such as 'resnet18'"
        )
    if name not in known:
        hint = did_you_mean(name, known)
        raise BackboneError(
            f"pretrained_model: got {name!r}, which is not a classification model of torchvision: "
            f"{hint}Common ones: resnet18, vgg16, mobilenet-v3, densenet121, "
            "efficientnet_b0, vit_b_16; all: gellib.models.backbones.list_backbones()"
        )
    return ALIASES.get(name, name)


def default_weights(name: str) -> WeightsEnum:
    """Return torchvision's recommended weights of a network (the enum member `DEFAULT`)."""
    return get_model_weights(name).DEFAULT


def make_network(name: str, image_size: int) -> nn.Module:
    """Build a network of torchvision, classifier included, with torchvision's random weights.

    Raises
    ------
    BackboneError
        When the network does not accept images of `image_size` pixels.
    """
    options: dict[str, Any] = {}
    if name in _WITH_AUXILIARY_CLASSIFIER:
        options = {"aux_logits": False, "init_weights": False, "transform_input": False}
    elif name.startswith("vit_"):
        options = {"image_size": image_size}
    elif name.startswith("maxvit_"):
        options = {"input_size": (image_size, image_size)}
    try:
        return get_model(name, weights=None, **options).eval()
    except (ValueError, RuntimeError, AssertionError) as err:  # the last from `torch._assert`
        if not options:
            raise
        raise BackboneError(
            f"image_size: got {image_size}, which {name} does not accept ({err}); 224 works"
        ) from err


def input_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per colour channel, as the weights' transforms use them.

    They apply to values in 0..1.
    """
    if name in _WITH_AUXILIARY_CLASSIFIER:  # torchvision's values after their `transform_input`
        return (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
    transforms = default_weights(name).transforms()
    return tuple(transforms.mean), tuple(transforms.std)


def last_linear(network: nn.Module) -> tuple[str, nn.Linear]:
    """Find the last linear layer, which is the classifier: its name in the network, and itself.

    Raises
    ------
    BackboneError
        When the network has no linear layer.
    """
    found = [(name, layer) for name, layer in network.named_modules() if _is_linear(layer)]
    if not found:
        raise BackboneError(
            f"{type(network).__name__} has no linear layer, so its features cannot be separated "
            "from its classifier; choose another backbone"
        )
    return found[-1]


def _is_linear(layer: nn.Module) -> bool:
    # Attention contains a subclass of it that is never the classifier.
    return type(layer) is nn.Linear


def first_convolution(network: nn.Module) -> tuple[str, nn.Conv2d]:
    """Find the first convolution, whose input is the image: its name in the network, and itself.

    Raises
    ------
    BackboneError
        When the network has no convolution, or its first one does not take three channels.
    """
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            if layer.in_channels != 3:
                break
            return name, layer
    raise BackboneError(
        f"{type(network).__name__} has no first convolution for three channels; expected a network "
        "for colour images"
    )


def replace_layer(network: nn.Module, name: str, layer: nn.Module) -> None:
    """Replace the layer called `name` by `layer`, in place."""
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, layer)


def batch_norms(network: nn.Module) -> dict[str, BatchNorm]:
    """Find the batch normalisations that keep running statistics, by name."""
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, BatchNorm) and layer.track_running_stats
    }


def running_statistics(norm: BatchNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """Return running mean and variance (channels,) of a batch normalisation.

    Raises
    ------
    ValueError
        When it does not keep them.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError(f"expected a batch normalisation with running statistics, got {norm}")
    return norm.running_mean, norm.running_var
