"""Grey images into a network for colour: the first convolution that replaces its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gellib.base.seeding import isolated_rng
from gellib.models.backbones.architectures import first_convolution, input_statistics, replace_layer
from gellib.models.backbones.preprocessing import Preprocessing

INPUT_ADAPTERS = ("replicate", "sum", "reinit")


def adapt_first_convolution(
    network: nn.Module, name: str, adapter: str, preprocessing: Preprocessing, seed: int
) -> None:
    """Replace the first convolution by one for a single channel: `sum` or `reinit`."""
    where, old = first_convolution(network)
    options: dict[str, Any] = {
        key: getattr(old, key)
        for key in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    }
    with isolated_rng(seed, "first convolution", name):
        bias = old.bias is not None or adapter == "sum"
        new = nn.Conv2d(1, old.out_channels, bias=bias, **options)
    if adapter == "sum":
        # The colours are normalised differently from the one grey channel; what differs goes
        # into the weights (scale) and the bias (offset).
        mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in input_statistics(name))
        grey_mean, grey_std = preprocessing.mean[0], preprocessing.std[0]
        with torch.no_grad():
            new.weight.copy_((old.weight * (grey_std / std)).sum(1, keepdim=True))
            new.bias.copy_((old.weight * ((grey_mean - mean) / std)).sum((1, 2, 3)))
            if old.bias is not None:
                new.bias.add_(old.bias)
    replace_layer(network, where, new)
