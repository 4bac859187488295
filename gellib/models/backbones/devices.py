"""Devices and precision: what this machine has, and a fast copy of a network for inference."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeGuard

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from gellib.models.backbones.network_parts import replace_layer, running_statistics
from gellib.models.backbones.sources import BackboneError
from gellib.models.backbones.winograd import WinogradConv2d, pays_off

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class DeviceMissing(RuntimeError):  # noqa: N818 (a state of the machine rather than an error)
    """The machine does not have the device that a run requires; the message is the reason."""


def device_missing(hardware_type: str) -> str:
    """Return why `cpu` or `gpu` cannot be used on this machine; empty if it can."""
    if hardware_type == "cpu" or torch.cuda.is_available():
        return ""
    if torch.backends.mps.is_available():
        return ""
    version = torch.__version__
    if torch.version.cuda is None and torch.version.hip is None:
        return f"no GPU to use: torch {version} was built without CUDA, and there is no Apple MPS"
    return f"no GPU found: torch {version} sees no CUDA device, and there is no Apple MPS"


def choose_device(hardware_type: str) -> torch.device:
    """Choose the device for `cpu` or `gpu` (CUDA, else Apple's MPS).

    Raises
    ------
    DeviceMissing
        When the machine does not have it.
    BackboneError
        For other names.
    """
    if hardware_type not in ("cpu", "gpu"):
        raise BackboneError(f"hardware_type: got {hardware_type!r}, expected 'cpu' or 'gpu'")
    reason = device_missing(hardware_type)
    if reason:
        raise DeviceMissing(reason)
    if hardware_type == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("mps")


def resolve_precision(precision: str, device: torch.device | str) -> str:
    """Choose `fp32`, `bf16` or `fp16`; `auto` is `bf16` where the hardware supports it.

    Raises
    ------
    BackboneError
        For `fp16` on a CPU, where it is slow or unsupported, and for unknown names.
    """
    device = torch.device(device)
    if precision == "auto":
        return "bf16" if _has_bf16(device) else "fp32"
    if precision not in DTYPES:
        raise BackboneError(
            f"precision: got {precision!r}, expected one of auto, {', '.join(DTYPES)}"
        )
    if precision == "fp16" and device.type == "cpu":
        raise BackboneError("precision: fp16 needs a GPU; expected auto, fp32 or bf16 on a CPU")
    return precision


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu":
        return False
    # Private functions of torch, as there is no public one; some releases do not have them.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Make results on CUDA reproducible to the bit, and do not let fp32 be computed as TF32."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield


def fast_copy(network: nn.Module, precision: str, device: torch.device | str) -> nn.Module:
    """Copy a network in eval mode for inference: batch norms folded, channels last, `precision`.

    Folding a batch norm into the convolution before it saves a pass over the activations and a
    rounding; it nearly doubles the speed of ResNet and MobileNet on a CPU. There, wide 3 x 3
    convolutions are computed by Winograd's filtering. Tensors that stay the same are shared with
    the network: to copy those of a VGG would take a second.
    """
    shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in network.parameters()}
    folded = _fold_batch_norms(copy.deepcopy(network, shared).eval())
    folded = folded.to(device=device, dtype=DTYPES[precision])
    folded = folded.to(memory_format=torch.channels_last)
    if isinstance(folded, fx.GraphModule):  # nothing but calls uses its layers
        called = {str(node.target) for node in folded.graph.nodes if node.op == "call_module"}
        for name in sorted(called):
            layer = folded.get_submodule(name)
            if pays_off(layer, device, DTYPES[precision]):
                replace_layer(folded, name, WinogradConv2d(layer))
    return folded


# Layers of timm that are folded or kept whole: what is inside them cannot be traced.
_SAME_PADDING, _NORM_WITH_ACTIVATION = "Conv2dSame", "BatchNormAct2d"


class _Tracer(fx.Tracer):
    """Follows the data through a network, but not into timm's own kinds of layers."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        own = type(module).__name__ in (_SAME_PADDING, _NORM_WITH_ACTIVATION)
        return own or super().is_leaf_module(module, name)


def _fold_batch_norms(network: nn.Module) -> nn.Module:
    try:
        traced = fx.GraphModule(network, _Tracer().trace(network))
    except (fx.proxy.TraceError, TypeError, RuntimeError):
        return network  # its code depends on values: used without folding
    uses = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or len(before.users) != 1:
            continue
        norm, conv = _called_module(traced, node), _called_module(traced, before)
        if not _is_norm(norm) or not _is_convolution(conv):
            continue
        if uses[node.target] != 1 or uses[before.target] != 1:
            continue
        mean, var = running_statistics(norm)
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, mean, var, norm.eps, norm.weight, norm.bias
        )
        if type(norm) is nn.BatchNorm2d:
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
        else:
            after = (norm.get_submodule(name) for name in ("drop", "act"))
            replace_layer(traced, str(node.target), nn.Sequential(*after))
    traced.recompile()
    return traced


def _is_convolution(layer: nn.Module | None) -> TypeGuard[nn.Conv2d]:
    # Not those that standardise their weights, for example.
    return type(layer) is nn.Conv2d or type(layer).__name__ == _SAME_PADDING


def _is_norm(layer: nn.Module | None) -> TypeGuard[nn.BatchNorm2d]:
    return type(layer) is nn.BatchNorm2d or type(layer).__name__ == _NORM_WITH_ACTIVATION


def _called_module(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    if node.op != "call_module" or not isinstance(node.target, str):
        return None
    return traced.get_submodule(node.target)
