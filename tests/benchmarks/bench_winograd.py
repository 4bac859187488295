"""How fast wide 3 x 3 convolutions are by Winograd's filtering, against torch's own.

    python tests/benchmarks/bench_winograd.py [--out FILE]

One thread, 16 images, layers as they stand in VGG and ResNet; then whole networks as features are
extracted. Seconds of processor time, the shortest of three, the two in turn. `error` is the
relative difference.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from common import parse, report
from torch import nn

from gellib.models.backbones import build_backbone, winograd
from gellib.models.backbones.devices import fast_copy

IMAGES, TIMES = 16, 3
# Channels before and after, side in pixels.
VGG = [(64, 128, 112), (128, 128, 112), (128, 256, 56), (256, 256, 56), (512, 512, 28)]
RESNET = [(64, 64, 56), (128, 128, 28), (256, 256, 14), (512, 512, 7)]
NETWORKS = ["vgg16", "resnet18", "resnet34", "resnet50"]


def main() -> None:
    """Time layers and networks both ways."""
    args = parse(__doc__)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    times = 1 if args.quick else TIMES
    with torch.inference_mode():
        rows = [_layer(*shape, times) for shape in (*VGG, *RESNET)]
    networks = NETWORKS[1:2] if args.quick else NETWORKS
    report("winograd", args, [*rows, *(_network(name, times) for name in networks)])


def _both(
    direct: Callable[[], torch.Tensor], fast: Callable[[], torch.Tensor], times: int
) -> dict[str, Any]:
    expected, found = direct(), fast()
    error = float((found - expected).norm() / expected.norm())
    taken: list[list[float]] = [[], []]
    for _ in range(times):
        for own, work in zip(taken, (direct, fast), strict=True):
            started = time.process_time()
            work()
            own.append(time.process_time() - started)
    own_s, fast_s = map(min, taken)
    return {"torch_s": own_s, "winograd_s": fast_s, "ratio": own_s / fast_s, "error": error}


def _layer(channels: int, out: int, side: int, times: int) -> dict[str, Any]:
    layer = nn.Conv2d(channels, out, 3, padding=1).to(memory_format=torch.channels_last)
    fast = winograd.WinogradConv2d(layer)
    x = torch.randn(IMAGES, channels, side, side).relu()
    x = x.contiguous(memory_format=torch.channels_last)
    name = f"{channels} to {out}, {side} px"
    return {"what": name, **_both(lambda: layer(x), lambda: fast(x), times)}


def _network(name: str, times: int) -> dict[str, Any]:
    backbone = build_backbone(name, weights="none")
    backbone.calibrated = True  # what its features are worth does not matter here
    views = torch.randint(0, 255, (IMAGES, 1, 224, 224), dtype=torch.uint8)
    fast = fast_copy(backbone.network, "fp32", "cpu")
    least, winograd.LEAST_CHANNELS = winograd.LEAST_CHANNELS, 10**9
    direct = fast_copy(backbone.network, "fp32", "cpu")
    winograd.LEAST_CHANNELS = least

    def extract(network: nn.Module) -> torch.Tensor:
        with torch.inference_mode():
            return backbone._run(network, views, torch.device("cpu"))

    return {"what": name, **_both(lambda: extract(direct), lambda: extract(fast), times)}


if __name__ == "__main__":
    main()
