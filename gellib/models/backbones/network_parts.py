"""The parts of a network that a backbone needs: classifier, first convolution, batch norms."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gellib.models.backbones.sources import BackboneError

BatchNorm = torch.nn.modules.batchnorm._BatchNorm  # of any number of dimensions


def classifier_names(network: nn.Module) -> tuple[str, ...]:
    """Name the layers that turn features into classes: timm says which, else the last linear one.

    Raises
    ------
    BackboneError
        When the network has none.
    """
    named = getattr(network, "default_cfg", {}).get("classifier")
    if named:
        return (named,) if isinstance(named, str) else tuple(named)
    return (last_linear(network)[0],)


def remove_classifier(network: nn.Module) -> int:
    """Make a network give its features, in place; return how many.

    A network of timm pools as its own classifier expects: by the class token, the mean, or both.

    Raises
    ------
    BackboneError
        When the network has no classifier to be separated.
    """
    if hasattr(network, "reset_classifier"):
        of_timm: Any = network
        dim = int(getattr(of_timm, "head_hidden_size", None) or of_timm.num_features)
        of_timm.reset_classifier(0)
        return dim
    name, linear = last_linear(network)
    replace_layer(network, name, nn.Identity())
    return linear.in_features


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
