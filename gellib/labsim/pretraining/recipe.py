"""Recipes: how each backbone is pretrained, and the form in which it is saved."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gellib.base.text import did_you_mean
from gellib.config.known_names import BACKBONE_ALIASES
from gellib.labsim.pretraining.batches import BATCH_VIEWS
from gellib.labsim.simulate import CLASSES
from gellib.models.backbones.labsim_weights import PRETRAINABLE, make_classifier


class PretrainError(ValueError):
    """Pretraining cannot be done as requested; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """Settings of a pretraining run.

    `steps` is the number of optimiser steps, `phases` the side of the views in px with the share
    of the steps that use it. `gel_weight` is the weight of the binary loss, gel or not, relative
    to the loss of the classes; `trained_as` names the network that is trained if it is not the one
    that is saved; `precision` is as in `gellib.models.backbones.resolve_precision`.
    """

    steps: int
    phases: tuple[tuple[int, float], ...]
    learning_rate: float
    batch: int = 64
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    gel_weight: float = 0.0
    warm_up: float = 0.05
    trained_as: str = ""
    precision: str = "auto"

    def sizes(self, steps: int) -> list[int]:
        """List the side in px of the views of each batch; it grows: early steps are cheap."""
        batches = math.ceil(steps * self.batch / BATCH_VIEWS)
        sizes: list[int] = []
        share = 0.0
        for size_px, phase_share in self.phases:
            share += phase_share
            sizes += [size_px] * (round(batches * share) - len(sizes))
        return sizes

    def rate(self, step: int, steps: int) -> float:
        """Compute the learning rate of a step, counted from 0: a warm-up, then half a cosine."""
        warm_up = max(1, round(self.warm_up * steps))
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        done = (step - warm_up) / max(1, steps - warm_up)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2


# About ten minutes each on one CPU core with matrix units, with a second core drawing images.
RECIPES = {
    "resnet18": Recipe(1000, ((96, 0.8), (160, 0.2)), 1e-3),
    # Its depthwise convolutions are twice as slow in bf16 on a CPU.
    "mobilenet_v3_large": Recipe(1200, ((96, 0.8), (160, 0.2)), 2e-3, precision="fp32"),
    # Sixteen layers without batch norms learn almost nothing in minutes.
    "vgg16": Recipe(480, ((64, 0.75), (96, 0.25)), 1e-3, trained_as="vgg16_bn"),
}
# For a second run that continues a first one: larger views, smaller steps and batches, and the
# binary loss, so that gels form one cluster, which a head trained on few examples finds.
FURTHER = {
    "resnet18": Recipe(300, ((160, 1.0),), 2e-4, batch=32, gel_weight=1.0),
    "mobilenet_v3_large": Recipe(
        300, ((160, 1.0),), 4e-4, batch=32, gel_weight=1.0, precision="fp32"
    ),
    # Without residual connections, larger steps undo what it learned.
    "vgg16": Recipe(180, ((128, 1.0),), 5e-5, batch=32, gel_weight=1.0, trained_as="vgg16_bn"),
}


def check_pretrainable(backbone: str) -> str:
    """Return torchvision's name for a name or an alias.

    Raises
    ------
    PretrainError
        If there is no recipe for the backbone.
    """
    name = BACKBONE_ALIASES.get(backbone, backbone)
    if name in PRETRAINABLE:
        return name
    known = ["resnet18", "mobilenet-v3", "vgg16"]
    hint = did_you_mean(backbone, known)
    raise PretrainError(f"backbone: got {backbone!r}: {hint}expected one of {', '.join(known)}")


def build_network(name: str, n_classes: int) -> nn.Module:
    """Build the network to train, with random weights."""
    network = make_classifier(RECIPES[name].trained_as or name, n_classes)
    return network.to(memory_format=torch.channels_last)


def kept_form(network: nn.Module, name: str, n_classes: int) -> nn.Module:
    """Convert the trained network to the one that is saved, in eval mode.

    For vgg16 the batch norms are fused into the convolutions before them; results do not change.
    """
    network = copy.deepcopy(network).float().cpu().eval()
    if not RECIPES[name].trained_as:
        return network
    layers: list[nn.Module] = []
    for layer in network.get_submodule("features").children():
        if isinstance(layer, nn.BatchNorm2d):
            convolution = layers.pop()
            if not isinstance(convolution, nn.Conv2d):
                raise TypeError(f"{name}: got a batch norm that does not follow a convolution")
            layers.append(fuse_conv_bn_eval(convolution, layer))
        else:
            layers.append(layer)
    kept = make_classifier(name, n_classes)
    kept.features = nn.Sequential(*layers)
    kept.classifier = network.classifier
    return kept.eval()


def estimate_steps(
    minutes: float, name: str, device: torch.device, precision: str, recipe: Recipe
) -> int:
    """Estimate how many steps of a recipe this machine does in a time, by timing a few.

    Parameters
    ----------
    minutes
        Time to train for.
    name
        Backbone.
    device, precision
        Where and how the network is trained.
    recipe
        Settings of the run.
    """
    network = build_network(name, 8).to(device).train()
    seconds = 0.0
    for size_px, share in recipe.phases:
        views = torch.zeros(recipe.batch, size_px, size_px, dtype=torch.uint8)
        views += torch.arange(size_px, dtype=torch.uint8)
        labels = torch.zeros(recipe.batch, dtype=torch.long)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            compute_loss(network, views, labels, precision)[0].backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - started)
        seconds += share * min(times)  # the first step also initialises the device
    return max(1, round(60 * minutes / seconds))


def compute_loss(
    network: nn.Module,
    views: torch.Tensor,
    labels: torch.Tensor,
    precision: str,
    label_smoothing: float = 0.0,
    gel_weight: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute loss and logits of a batch.

    The loss is the cross entropy of the classes plus `gel_weight` times that of gel or not.

    Parameters
    ----------
    network
        Classifier of `CLASSES`.
    views
        uint8 (n, H, W).
    labels
        Class numbers, (n,).
    precision
        `bf16` or `fp32`.
    label_smoothing
        Share of the target that is spread over all classes, 0 to 1.
    gel_weight
        Weight of the binary loss.

    Returns
    -------
    loss
        Scalar.
    logits
        (n, classes), float32.
    """
    device = next(network.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = network(as_input(views.to(device)))
    logits, labels = logits.float(), labels.to(device)
    loss = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    if gel_weight:
        loss = loss + gel_weight * _gel_loss(logits, labels)
    return loss, logits


def _gel_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross entropy of gel or not; each has the probability of its classes together."""
    gel = torch.tensor(list(CLASSES.values()), device=logits.device)
    odds = logits[:, gel].logsumexp(1) - logits[:, ~gel].logsumexp(1)
    return functional.binary_cross_entropy_with_logits(odds, gel[labels].float())


def as_input(views: torch.Tensor) -> torch.Tensor:
    """Convert uint8 (n, H, W) to the input of torchvision's ImageNet networks, (n, 3, H, W)."""
    mean = torch.tensor([0.485, 0.456, 0.406], device=views.device).reshape(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], device=views.device).reshape(3, 1, 1)
    images = (views[:, None].float() / 255 - mean) / std
    return images.contiguous(memory_format=torch.channels_last)
