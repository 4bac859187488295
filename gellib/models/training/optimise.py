"""Optimisers, learning-rate schedules, gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from gellib.base.without_compiler import without_compiler
from gellib.config import RunConfig
from gellib.config.expressions import check_schedule
from gellib.models.backbones import Backbone, list_blocks
from gellib.models.heads import Head


class Schedule:
    """The factor on the learning rate at each step of one phase of training.

    `step` multiplies by `factor` after each `every` epochs; `cosine` falls from 1 to `final` from
    epoch to epoch; `one_cycle` rises from `start` to 1 over the share `warmup` of the steps and
    falls to `final`, along half cosines, from batch to batch; `plateau` multiplies by `factor`
    when the monitored value has not improved for more than `patience` epochs.
    """

    def __init__(self, text: str, *, epochs: int, steps_per_epoch: int) -> None:
        self.name, self.numbers = check_schedule(text)
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self._plateau, self._best, self._waited = 1.0, math.inf, 0

    def factor(self, epoch: int, step: int) -> float:
        """Return the factor for a step of an epoch; both count from 0 within the phase."""
        numbers = self.numbers
        if self.name == "step":
            return numbers["factor"] ** (epoch // int(numbers["every"]))
        if self.name == "cosine":
            return _half_cosine(1, numbers["final"], epoch / self.epochs)
        if self.name == "one_cycle":
            return self._one_cycle(epoch * self.steps_per_epoch + step)
        return self._plateau

    def _one_cycle(self, step: int) -> float:
        last = max(self.epochs * self.steps_per_epoch - 1, 1)
        top = self.numbers["warmup"] * (last + 1) - 1
        if step <= top:
            return _half_cosine(self.numbers["start"], 1, step / top if top > 0 else 1)
        top = max(top, 0)
        return _half_cosine(1, self.numbers["final"], (step - top) / (last - top))

    def step(self, cost: float) -> None:
        """Add the monitored value of an epoch that has ended; less is better."""
        if cost < self._best:
            self._best, self._waited = cost, 0
        else:
            self._waited += 1
        if self.name == "plateau" and self._waited > self.numbers["patience"]:
            self._plateau *= self.numbers["factor"]
            self._waited = 0


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


def make_optimizer(
    config: RunConfig, groups: list[dict[str, Any]], *, fused: bool = False
) -> torch.optim.Optimizer:
    """Create the optimiser for groups of `params`, each with its own `lr`.

    With `fused`, a step is one pass over the weights: this takes a third of the time for the
    hundred million weights of a VGG, and rounds differently in the last bits. It is ignored on
    Apple's MPS, which does not support it.
    """
    groups = [group | {"base_lr": group["lr"]} for group in groups]
    fused = fused and groups[0]["params"][0].device.type in ("cpu", "cuda")
    options: dict[str, Any] = {"weight_decay": config.weight_decay, "fused": fused or None}
    if config.opt_alg == "sgd":
        options |= {"momentum": config.momentum, "nesterov": config.nesterov}
    makers: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
    }
    with without_compiler():
        return makers[config.opt_alg](groups, **options)


def take_step(optimizer: torch.optim.Optimizer) -> None:
    """Change the parameters by their gradients."""
    with without_compiler():
        optimizer.step()


def clear_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Forget the gradients of all parameters."""
    with without_compiler():
        optimizer.zero_grad(set_to_none=True)


def parameter_groups(
    backbone: Backbone, head: Head, rate: float, decay: float = 1.0
) -> list[dict[str, Any]]:
    """Group the parameters that are trained by learning rate, the head first.

    Parameters
    ----------
    backbone, head
        The model.
    rate
        Learning rate of the head.
    decay
        The learning rate of a block is `decay` times that of the block behind it; that of the last
        block is `decay` times that of the head.
    """
    groups = [{"params": list(head.parameters()), "lr": rate}]
    for block in reversed(list_blocks(backbone.network)):
        rate *= decay
        layers = (backbone.network.get_submodule(name) for name in block.layers)
        own = (parameter for layer in layers for parameter in layer.parameters(recurse=False))
        trained = [parameter for parameter in own if parameter.requires_grad]
        if trained:
            groups.append({"params": trained, "lr": rate})
    return groups


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Set the learning rate of every group to a factor of its own; return that of the first."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    return optimizer.param_groups[0]["lr"]


def clip_gradients(optimizer: torch.optim.Optimizer, value: float, norm: float) -> None:
    """Clip each gradient to `value`, then the norm of all to `norm`; 0 means no limit."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if value:
        nn.utils.clip_grad_value_(parameters, value)
    if norm:
        nn.utils.clip_grad_norm_(parameters, norm)
