"""Going on from a file of weights: what one course has learned is not learned again."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from gellib.labsim.pretraining.recipe import RECIPES, PretrainError, as_input
from gellib.labsim.simulate import CLASSES
from gellib.models.backbones.architectures import batch_norms
from gellib.models.backbones.labsim import pretrained_facts


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
    without_norms = bool(RECIPES[name].trained_as)
    if without_norms:
        state = _apart(network, state)
    # The file has all but the norms or their counters, as `write_weights` sees to.
    network.load_state_dict(network.state_dict() | state)
    if without_norms:
        _make_neutral(network, views)


def _apart(network: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the convolutions of a network without batch norms to those of one with them."""
    layers = network.features.named_children()
    there = [place for place, layer in layers if isinstance(layer, nn.Conv2d)]
    here = sorted({int(key.split(".")[1]) for key in state if key.startswith("features.")})
    renamed = {f"features.{old}.": f"features.{new}." for old, new in zip(here, there, strict=True)}
    return {
        next((key.replace(o, n, 1) for o, n in renamed.items() if key.startswith(o)), key): tensor
        for key, tensor in state.items()
    }


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
    _give_usual_size(network)


def _give_usual_size(network: nn.Module) -> None:
    """Scale the convolutions to the size of new ones, which the norms behind them undo.

    A step of Adam is as large for small weights as for large ones: they would be forgotten.
    """
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                usual = (2 / (layer.out_channels * layer.weight[0, 0].numel())) ** 0.5
                factor = usual / layer.weight.std()
                layer.weight *= factor
                layer.bias *= factor
