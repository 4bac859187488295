"""Devices and arithmetic: what this machine has, and a copy of a network that is fast on it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from gellib.models.backbones.architectures import BackboneError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class DeviceMissing(RuntimeError):  # noqa: N818 (a state of the machine rather than an error)
    """The machine lacks the device that a run asks for; the message is the reason."""


def device_missing(hardware_type: str) -> str:
    """Say why `cpu` or `gpu` cannot be used here; empty if it can."""
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
        When there is none.
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
    """Choose `fp32`, `bf16` or `fp16`; `auto` is bf16 where the hardware computes in it.

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
    # Private names of torch, which has no public way to ask; absent in some releases.
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Let CUDA compute the same bits every time, and fp32 as fp32."""
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield


def fast_copy(network: nn.Module, precision: str, device: torch.device | str) -> nn.Module:
    """Copy a network in eval mode for inference: batch norms folded, channels last, reduced type.

    Folding a batch norm into the convolution before it saves a pass over the activations, and a
    rounding; it nearly doubles the speed of ResNet and MobileNet on a CPU. Tensors that come out
    as they were are the network's own: to copy all of VGG's first would take a second.
    """
    shared = {id(p): nn.Parameter(p.detach(), requires_grad=False) for p in network.parameters()}
    folded = _fold_batch_norms(copy.deepcopy(network, shared).eval())
    return folded.to(device=device, dtype=DTYPES[precision], memory_format=torch.channels_last)


def _fold_batch_norms(network: nn.Module) -> nn.Module:
    try:
        traced = fx.symbolic_trace(network)
    except fx.proxy.TraceError:  # its code branches on values: it works unfolded
        return network
    modules = dict(traced.named_modules())
    uses: dict[str, int] = {}
    for node in traced.graph.nodes:
        if node.op == "call_module":
            uses[node.target] = uses.get(node.target, 0) + 1
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        if not (
            node.op == "call_module"
            and type(modules[node.target]) is nn.BatchNorm2d
            and isinstance(before, fx.Node)
            and before.op == "call_module"
            and type(modules[before.target]) is nn.Conv2d
            and len(before.users) == 1
            and uses[before.target] == uses[node.target] == 1
        ):
            continue
        conv, norm = modules[before.target], modules[node.target]
        moments = norm.running_mean, norm.running_var, norm.eps
        conv.weight, conv.bias = fuse_conv_bn_weights(
            conv.weight, conv.bias, *moments, norm.weight, norm.bias
        )
        node.replace_all_uses_with(before)
        traced.graph.erase_node(node)
    traced.recompile()
    return traced
