"""Winograd's filtering computes what a convolution does, and stands where it is faster."""

import copy

import pytest
import torch
from torch import nn

from gellib.models.backbones import build_backbone, winograd
from gellib.models.backbones.devices import fast_copy
from gellib.models.backbones.winograd import WinogradConv2d, pays_off

on_x86 = pytest.mark.skipif(
    winograd.platform.machine() not in ("x86_64", "AMD64"), reason="measured on x86 only"
)


def error(found, expected):
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("side", [(1, 1), (2, 5), (4, 4), (7, 7), (13, 30), (56, 9)])
@pytest.mark.parametrize("channels", [(3, 5), (130, 7), (64, 64)])
@pytest.mark.parametrize("images", [1, 3])
def test_computes_the_convolution(side, channels, images):
    torch.manual_seed(0)
    layer = nn.Conv2d(*channels, 3, padding=1, bias=images > 1)
    x = torch.randn(images, channels[0], *side)
    with torch.inference_mode():
        exact = copy.deepcopy(layer).double()(x.double())
        assert error(WinogradConv2d(layer)(x).double(), exact) < 1e-5
        last = x.contiguous(memory_format=torch.channels_last)
        assert torch.equal(WinogradConv2d(layer)(last), WinogradConv2d(layer)(x))


@on_x86
def test_only_wide_convolutions_of_stride_and_padding_1_are_replaced():
    def asked(*args, device="cpu", dtype=torch.float32, kind=nn.Conv2d, **options):
        return pays_off(kind(*args, **options), device, dtype)

    assert asked(128, 128, 3, padding=1) and asked(512, 128, 3, padding="same", bias=False)
    assert not asked(64, 128, 3, padding=1) and not asked(128, 64, 3, padding=1)
    assert not asked(128, 128, 3) and not asked(128, 128, 3, padding=2)
    assert not asked(128, 128, 5, padding=1) and not asked(128, 128, 1)
    assert not asked(128, 128, 3, padding=1, stride=2)
    assert not asked(128, 128, 3, padding="same", dilation=2)
    assert not asked(128, 128, 3, padding=1, groups=2)
    assert not asked(128, 128, 3, padding=1, padding_mode="reflect")
    assert not asked(128, 128, 3, padding=1, device="cuda")
    assert not asked(128, 128, 3, padding=1, dtype=torch.bfloat16)
    assert not asked(128, 128, 3, padding=1, kind=type("Own", (nn.Conv2d,), {}))
    assert not pays_off(nn.Linear(128, 128), "cpu", torch.float32)


@on_x86
@pytest.mark.slow
@pytest.mark.parametrize("name, least", [("resnet18", 9), ("vgg11", 4), ("mobilenet-v3", 0)])
def test_a_fast_copy_computes_what_its_network_does(name, least):
    backbone = build_backbone(name, weights="none", image_size=64)
    network = backbone.network.eval()
    fast = fast_copy(network, "fp32", "cpu")
    assert sum(isinstance(layer, WinogradConv2d) for layer in fast.modules()) >= least
    assert not any(isinstance(layer, WinogradConv2d) for layer in network.modules())
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert error(fast(x), network(x)) < 1e-5


def test_other_processors_keep_the_convolution(monkeypatch):
    monkeypatch.setattr(winograd.platform, "machine", lambda: "arm64")
    assert not pays_off(nn.Conv2d(256, 256, 3, padding=1), "cpu", torch.float32)
