"""Continue pretraining from a file of weights."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from gellib.labsim.pretraining.recipe import RECIPES, PretrainError, as_input
from gellib.labsim.simulate import CLASSES
from gellib.models.backbones.labsim_weights import pretrained_facts
from gellib.models.backbones.network_parts import BatchNorm, batch_norms


def load_start(network: nn.Module, path: str | Path, name: str, views: torch.Tensor) -> None:
    """Load the weights of a file of `gellib pretrain` into a network before it is trained.

    If the file has its batch norms fused into the convolutions, new batch norms are set so that
    they do not change the activations of `views`.

    Parameters
    ----------
    network
        Network to train, changed in place.
    path
        File of weights.
    name
        Backbone, torchvision's name.
    views
        uint8 (n, H, W), to set new batch norms with.

    Raises
    ------
    PretrainError
        If the file is of another backbone or of other classes.
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
        state = _rename_convolutions(network, state)
    # `write_weights` leaves out only the norms, if they are fused, or their counters.
    network.load_state_dict(network.state_dict() | state)
    if without_norms:
        _make_neutral(network, views)


def _rename_convolutions(
    network: nn.Module, state: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Rename the convolutions of a network without batch norms to those of one with them."""
    layers = network.get_submodule("features").named_children()
    target = [place for place, layer in layers if isinstance(layer, nn.Conv2d)]
    source = sorted({int(key.split(".")[1]) for key in state if key.startswith("features.")})
    renamed = {
        f"features.{old}.": f"features.{new}." for old, new in zip(source, target, strict=True)
    }
    return {
        next((key.replace(o, n, 1) for o, n in renamed.items() if key.startswith(o)), key): tensor
        for key, tensor in state.items()
    }


def _make_neutral(network: nn.Module, views: torch.Tensor) -> None:
    """Set scale and shift of each batch norm to undo its normalisation of `views`."""

    def set_by_input(layer: BatchNorm, inputs: tuple[torch.Tensor, ...]) -> None:
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
    _rescale_convolutions(network)


def _rescale_convolutions(network: nn.Module) -> None:
    """Scale the convolutions to the spread of new ones; the batch norms after them undo it.

    A step of Adam is equally large for small and large weights, so small ones would be lost.
    """
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                usual = (2 / (layer.out_channels * layer.weight[0, 0].numel())) ** 0.5
                factor = usual / layer.weight.std()
                layer.weight *= factor
                layer.bias *= factor
