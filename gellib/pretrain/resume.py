"""Going on from a file of weights: what one course has learned is not learned again."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from gellib.backbones.architectures import batch_norms
from gellib.backbones.labsim import pretrained_facts
from gellib.pretrain.recipe import RECIPES, PretrainError, as_input
from gellib.simulate import CLASSES


def take_up(network: nn.Module, path: str | Path, name: str, views: torch.Tensor) -> None:
    """Give a network that is to be trained what a file of `gellib pretrain` holds.

    Where batch norms were put into the convolutions for keeping, they come back as ones that
    change nothing of the uint8 `views` (n, H, W).

    Raises
    ------
    PretrainError
        For a file of another network or of other classes.
    """
    facts = pretrained_facts(path)
    if facts is None or facts["backbone"] != name or facts["classes"] != CLASSES:
        holds = f"one of {facts['backbone']}" if facts else "none of gellib pretrain"
        raise PretrainError(
            f"{path}: got a file that is {holds}; expected one of {name}, with the "
            f"{len(CLASSES)} classes of this version of gellib"
        )
    state = {key: tensor.float() for key, tensor in load_file(path).items()}
    if RECIPES[name].trained_as:
        state = _apart(network, state)
    missing, unexpected = network.load_state_dict(state, strict=False)
    norms = tuple(f"{norm}." for norm in batch_norms(network)) if RECIPES[name].trained_as else ()
    missing = [k for k in missing if not k.endswith("num_batches_tracked")]
    missing = [k for k in missing if not k.startswith(norms)] if norms else missing
    if missing or unexpected:
        raise PretrainError(f"{path} does not fit {name}: {(missing + unexpected)[:4]}")
    if norms:
        _make_neutral(network, views)


def _apart(network: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the convolutions of a network without batch norms to those of one with them."""
    with_norms = [k for k, layer in network.features.named_children() if _is_convolution(layer)]
    without = sorted({int(k.split(".")[1]) for k in state if k.startswith("features.")})
    places = dict(zip(map(str, without), with_norms, strict=True))
    renamed = {}
    for key, tensor in state.items():
        part, place, *rest = key.split(".")
        place = places[place] if part == "features" else place
        renamed[".".join((part, place, *rest))] = tensor
    return renamed


def _is_convolution(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d)


def _make_neutral(network: nn.Module, views: torch.Tensor) -> None:
    """Let each batch norm scale and shift by what it divides and subtracts."""

    def set_by_input(layer: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        var, mean = torch.var_mean(inputs[0].float(), (0, 2, 3), correction=0)
        layer.weight.copy_((var + layer.eps).sqrt())
        layer.bias.copy_(mean)

    layers = batch_norms(network).values()
    hooks = [layer.register_forward_pre_hook(set_by_input) for layer in layers]
    network.train()
    try:
        with torch.no_grad():
            network(as_input(views.to(next(network.parameters()).device)))
    finally:
        for hook in hooks:
            hook.remove()
