"""The layers and blocks of a network, and which of them the parameter `trainable` selects.

A *block* is a convolution, a residual or transformer block, or any other item that torchvision
lists in the sequence of a network; a normalisation after it belongs to it. A *layer* is a module
with parameters of its own: a block has one or more.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torchvision.models.vision_transformer import Encoder

from gellib.base.text import did_you_mean
from gellib.config.expressions import check_trainable
from gellib.models.backbones.network_parts import remove_classifier
from gellib.models.backbones.sources import PLUS, BackboneError, check_backbone, find_source

_SEQUENCES = (nn.Sequential, nn.ModuleList, Encoder)
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


class Block(NamedTuple):
    """A block of a network: its name, and the names of its layers."""

    name: str
    layers: tuple[str, ...]


def list_layers(network: nn.Module) -> list[str]:
    """List the modules with parameters of their own, in the order of the network."""
    return [name for name, module in network.named_modules() if _own_parameters(module)]


def list_blocks(network: nn.Module) -> list[Block]:
    """List the blocks of a network, in order; layers outside of blocks belong to the first one."""
    found: list[list[str]] = []
    _collect(network, "", found)
    layers = list_layers(network)
    blocks = [
        [name for name in layers if any(_is_below(name, part) for part in parts)] for parts in found
    ]
    outside = set(layers).difference(*blocks)
    blocks[0] = [name for name in layers if name in outside or name in blocks[0]]
    return [Block(parts[0], tuple(own)) for parts, own in zip(found, blocks, strict=True)]


def _collect(module: nn.Module, prefix: str, found: list[list[str]]) -> None:
    for name, child in module.named_children():
        if not _has_parameters(child):
            continue
        if type(child) in _SEQUENCES:  # a subclass of them is a block
            _collect(child, f"{prefix}{name}.", found)
        elif isinstance(child, _NORMS) and found:
            found[-1].append(f"{prefix}{name}")
        else:
            found.append([f"{prefix}{name}"])


def trained_layers(network: nn.Module, text: str) -> tuple[str, ...]:
    """List the layers that are trained: none for `head`, else all from a certain layer on.

    Raises
    ------
    BackboneError
        For a layer that the network does not have, and for more blocks than it has; the message
        lists its blocks.
    ValueError
        As `check_trainable`.
    """
    word, rest = check_trainable(text)
    layers, blocks = list_layers(network), list_blocks(network)
    names = ", ".join(block.name for block in blocks)
    if word == "head":
        return ()
    if word == "all":
        return tuple(layers)
    if word == "last":
        if int(rest) > len(blocks):
            raise BackboneError(
                f"trainable: got {text!r}, but the backbone has {len(blocks)} blocks: {names}"
            )
        return tuple(name for block in blocks[-int(rest) :] for name in block.layers)
    start = next((i for i, name in enumerate(layers) if _is_below(name, rest)), None)
    if start is None:
        known = [n for n, module in network.named_modules() if n and _has_parameters(module)]
        hint = did_you_mean(text, [f"from:{name}" for name in known])
        raise BackboneError(
            f"trainable: got {text!r}, and there is no layer {rest!r}: {hint}Expected one of the "
            f"backbone's blocks, {names}, or a layer in one of them"
        )
    return tuple(layers[start:])


def check_layers(name: str, image_size: int, text: str) -> None:
    """Check that a backbone has the layers that `trainable` selects, without creating weights.

    Raises
    ------
    ValueError
        As `check_trainable` and `trained_layers`.
    """
    word = check_trainable(text)[0]
    if PLUS in name and word != "head":
        raise BackboneError(
            f"trainable: got {text!r}, but the backbones of {name} stay frozen; expected head"
        )
    if word in ("head", "all"):
        return
    name = check_backbone(name)
    with torch.device("meta"):
        network = find_source(name).make_network(name, image_size)
    remove_classifier(network)
    trained_layers(network, text)


def _has_parameters(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _own_parameters(module: nn.Module) -> bool:
    return any(True for _ in module.parameters(recurse=False))


def _is_below(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")
