"""Grey images as input of a colour backbone: a new first convolution with one channel."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gellib.base.seeding import isolated_rng
from gellib.models.backbones.network_parts import first_convolution, replace_layer
from gellib.models.backbones.preprocessing import Preprocessing
from gellib.models.backbones.sources import BackboneError, find_source

INPUT_ADAPTERS = ("replicate", "sum", "reinit")
# Kinds of convolution in timm that differ from torch's in their padding alone.
_PLAIN = ("Conv2dSame",)


def adapt_first_convolution(
    network: nn.Module, name: str, adapter: str, preprocessing: Preprocessing, seed: int
) -> None:
    """Replace the first convolution of a network by one for a single channel, in place.

    Parameters
    ----------
    network
        A network whose first convolution takes three channels.
    name
        Torchvision's name of the network.
    adapter
        `sum`: the weights are summed over the colours. `reinit`: the weights are random.
    preprocessing
        Mean and standard deviation of the grey channel, for values in 0..1.
    seed
        Seed of the random weights.

    Raises
    ------
    BackboneError
        When the network has no first convolution for three channels, or one of another kind.
    """
    where, old = first_convolution(network)
    if type(old) is not nn.Conv2d and type(old).__name__ not in _PLAIN:
        raise BackboneError(
            f"input_adapter: got {adapter!r}, but the first convolution of {name} is a "
            f"{type(old).__name__}, which changes its weights as it runs. Use replicate"
        )
    options: dict[str, Any] = {
        key: getattr(old, key) for key in ("kernel_size", "stride", "padding", "dilation")
    }
    if old.padding_mode != "zeros":
        options["padding_mode"] = old.padding_mode
    with isolated_rng(seed, "first convolution", name):
        bias = old.bias is not None or adapter == "sum"
        new = type(old)(1, old.out_channels, bias=bias, **options)
    if adapter == "sum":
        # The colours are normalised differently from the single grey channel. The weights take up
        # the difference in scale, the bias the difference in offset.
        facts = find_source(name).input_facts(name)
        mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (facts.mean, facts.std))
        grey_mean, grey_std = preprocessing.mean[0], preprocessing.std[0]
        with torch.no_grad():
            new.weight.copy_((old.weight * (grey_std / std)).sum(1, keepdim=True))
            offset = (old.weight * ((grey_mean - mean) / std)).sum((1, 2, 3))
            new.bias = nn.Parameter(offset if old.bias is None else offset + old.bias)
    replace_layer(network, where, new)
