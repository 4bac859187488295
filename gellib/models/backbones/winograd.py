"""3 x 3 convolutions by Winograd's minimal filtering, which needs a quarter of the products.

Blocks of 4 x 4 outputs are computed from 6 x 6 inputs by 36 products per pair of channels, where
the definition takes 144 (Lavin and Gray 2016, "Fast algorithms for convolutional neural networks",
F(4 x 4, 3 x 3)). The transforms before and after are products with small matrices, so everything
is a matrix product, which every CPU is fast at. In fp32 a layer differs by 2e-6 of its size.
"""

from __future__ import annotations

import platform
from typing import Any, TypeGuard

import torch
from torch import nn
from torch.nn import functional

_OUT, _IN = 4, 6  # sides of a block of outputs, and of the inputs that it needs
# With fewer, the transforms take as long as they save (tests/benchmarks/bench_winograd.py).
LEAST_CHANNELS = 128
_LEAST_BLOCKS = 56
_ALL = slice(None)

_INPUT = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
)
_FILTER = (
    torch.tensor(
        [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]],
        dtype=torch.float64,
    )
    / 24
)
_OUTPUT = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
)


def pays_off(
    layer: nn.Module, device: torch.device | str, dtype: torch.dtype
) -> TypeGuard[nn.Conv2d]:
    """Whether a layer is a convolution that is faster this way.

    Measured on CPUs of the x86 family; others, and GPUs, have libraries of their own.
    """
    if torch.device(device).type != "cpu" or platform.machine() not in ("x86_64", "AMD64"):
        return False
    # Exactly this class: those derived from it change its weights or its padding.
    return (
        type(layer) is nn.Conv2d
        and dtype == torch.float32
        and layer.kernel_size == (3, 3)
        and layer.stride == (1, 1)
        and layer.dilation == (1, 1)
        and layer.padding in ((1, 1), "same")
        and layer.padding_mode == "zeros"
        and layer.groups == 1
        and min(layer.in_channels, layer.out_channels) >= LEAST_CHANNELS
    )


class WinogradConv2d(nn.Module):
    """Computes what a 3 x 3 convolution of stride 1 and padding 1 does, for inference.

    Parameters
    ----------
    layer
        The convolution; `pays_off` says of which kind.
    """

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        out_channels, in_channels = layer.weight.shape[:2]
        weight = layer.weight.detach().permute(1, 0, 2, 3).reshape(-1, 9)
        filters = torch.kron(_FILTER, _FILTER).to(weight.dtype) @ weight.T
        self.weight = nn.Buffer(filters.view(_IN**2, in_channels, out_channels))
        self.bias = None if layer.bias is None else nn.Buffer(layer.bias.detach())
        self.before = nn.Buffer(torch.kron(_INPUT, _INPUT).to(weight.dtype))
        self.after = nn.Buffer(torch.kron(_OUTPUT, _OUTPUT).to(weight.dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute (N, out_channels, H, W), channels last, from (N, in_channels, H, W)."""
        x = x.permute(0, 2, 3, 1)
        n, height, width, channels = x.shape
        down, across = -(-height // _OUT), -(-width // _OUT)
        x = functional.pad(x, (0, 0, 1, _OUT * across + 1 - width, 1, _OUT * down + 1 - height))
        inputs = x.unfold(1, _IN, _OUT).unfold(2, _IN, _OUT).permute(4, 5, 0, 1, 2, 3)
        out = x.new_empty(n, _OUT * down, _OUT * across, self.weight.shape[2])
        outputs = out.view(n, down, _OUT, across, _OUT, -1).permute(2, 4, 0, 1, 3, 5)
        # About as many blocks at once as there are channels: they stay in the cache, and the
        # filters are not read too often.
        blocks = max(_LEAST_BLOCKS, channels)
        rows = min(max(1, blocks // across), down)
        images = max(1, blocks // (across * down))
        for first in range(0, n, images):
            for row in range(0, down, rows):
                part = (
                    slice(None),
                    slice(None),
                    slice(first, first + images),
                    slice(row, row + rows),
                )
                outputs[part] = self._filter(inputs[part])
        if self.bias is not None:
            out += self.bias
        return out[:, :height, :width].permute(0, 3, 1, 2)

    def _filter(self, inputs: torch.Tensor) -> torch.Tensor:
        """Compute blocks (4, 4, ..., out_channels) from inputs (6, 6, ..., in_channels)."""
        shape: Any = inputs.shape
        seen = (self.before @ inputs.reshape(_IN**2, -1)).view(_IN**2, -1, shape[-1])
        found = torch.bmm(seen, self.weight).view(_IN**2, -1)
        return (self.after @ found).view(_OUT, _OUT, *shape[2:-1], -1)
