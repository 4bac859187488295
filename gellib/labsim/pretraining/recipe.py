"""How each network is trained, and the form in which it is kept."""

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
from gellib.labsim.pretraining.batches import LESSON_VIEWS
from gellib.labsim.simulate import CLASSES
from gellib.models.backbones.architectures import ALIASES
from gellib.models.backbones.labsim import PRETRAINABLE, make_classifier


class PretrainError(ValueError):
    """Pretraining cannot be done as asked; the message says why."""


@dataclass(frozen=True)
class Recipe:
    """Steps of a whole course, and the sizes of views with the share of the steps each gets.

    `question_weight` is that of the question, a gel or not, beside the classes; `trained_as` is
    the network that is trained, where another one is kept; `precision` as
    `gellib.models.backbones.resolve_precision` takes it.
    """

    steps: int
    phases: tuple[tuple[int, float], ...]
    learning_rate: float
    batch: int = 64
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    question_weight: float = 0.0
    warm_up: float = 0.05
    trained_as: str = ""
    precision: str = "auto"

    def sizes(self, steps: int) -> list[int]:
        """List the size in px of each lesson's views; sizes grow, so that early steps are cheap."""
        lessons = math.ceil(steps * self.batch / LESSON_VIEWS)
        sizes: list[int] = []
        share = 0.0
        for size_px, part in self.phases:
            share += part
            sizes += [size_px] * (round(lessons * share) - len(sizes))
        return sizes

    def rate(self, step: int, steps: int) -> float:
        """Compute the learning rate of a step from 0: a warm-up, then half a cosine."""
        warm_up = max(1, round(self.warm_up * steps))
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        done = (step - warm_up) / max(1, steps - warm_up)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2


# Ten minutes or so each on one core with matrix units, beside another that draws the images.
RECIPES = {
    "resnet18": Recipe(1000, ((96, 0.8), (160, 0.2)), 1e-3),
    # Its depthwise convolutions are twice as slow in bf16 on a CPU.
    "mobilenet_v3_large": Recipe(1200, ((96, 0.8), (160, 0.2)), 2e-3, precision="fp32"),
    # Sixteen layers without batch norms hardly start to learn in minutes.
    "vgg16": Recipe(480, ((64, 0.75), (96, 0.25)), 1e-3, trained_as="vgg16_bn"),
}
# To go on with, where a first course ended: larger views, smaller steps and batches, and the
# question itself, so that gels come to lie together and a head of few examples finds them.
FURTHER = {
    "resnet18": Recipe(300, ((160, 1.0),), 2e-4, batch=32, question_weight=1.0),
    "mobilenet_v3_large": Recipe(
        300, ((160, 1.0),), 4e-4, batch=32, question_weight=1.0, precision="fp32"
    ),
    # Without short cuts past its wide layers, larger steps undo what it knows.
    "vgg16": Recipe(180, ((128, 1.0),), 5e-5, batch=32, question_weight=1.0, trained_as="vgg16_bn"),
}


def check_pretrainable(backbone: str) -> str:
    """Turn a name or an alias into torchvision's name.

    Raises
    ------
    PretrainError
        For a network that there is no recipe for.
    """
    name = ALIASES.get(backbone, backbone)
    if name in PRETRAINABLE:
        return name
    known = ["resnet18", "mobilenet-v3", "vgg16"]
    hint = did_you_mean(backbone, known)
    raise PretrainError(f"backbone: got {backbone!r}: {hint}expected one of {', '.join(known)}")


def student(name: str, n_classes: int) -> nn.Module:
    """Build the network to train, with random weights."""
    network = make_classifier(RECIPES[name].trained_as or name, n_classes)
    return network.to(memory_format=torch.channels_last)


def kept_form(network: nn.Module, name: str, n_classes: int) -> nn.Module:
    """Turn the trained network into the one that is kept, in eval mode.

    For vgg16 the batch norms go into the convolutions before them, which changes no result.
    """
    network = copy.deepcopy(network).float().cpu().eval()
    if not RECIPES[name].trained_as:
        return network
    layers: list[nn.Module] = []
    for layer in network.features:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    kept = make_classifier(name, n_classes)
    kept.features = nn.Sequential(*layers)
    kept.classifier = network.classifier
    return kept.eval()


def steps_in(
    minutes: float, name: str, device: torch.device, precision: str, recipe: Recipe
) -> int:
    """Estimate how many steps of a recipe fit into some minutes here, from a few at each size."""
    network = student(name, 8).to(device).train()
    seconds = 0.0
    for size_px, share in recipe.phases:
        views = torch.zeros(recipe.batch, size_px, size_px, dtype=torch.uint8)
        views += torch.arange(size_px, dtype=torch.uint8)
        labels = torch.zeros(recipe.batch, dtype=torch.long)
        times = []
        for _ in range(3):
            started = time.perf_counter()
            loss_of(network, views, labels, precision)[0].backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - started)
        seconds += share * min(times)  # the first of them also sets things up
    return max(1, round(60 * minutes / seconds))


def loss_of(
    network: nn.Module,
    views: torch.Tensor,
    labels: torch.Tensor,
    precision: str,
    label_smoothing: float = 0.0,
    question_weight: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute loss and logits (n, classes) of uint8 views (n, H, W).

    The loss is the cross entropy of the classes and, `question_weight` times, that of the
    question: a gel or not?
    """
    device = next(network.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        logits = network(as_input(views.to(device)))
    logits, labels = logits.float(), labels.to(device)
    loss = functional.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    if question_weight:
        loss = loss + question_weight * _question_loss(logits, labels)
    return loss, logits


def _question_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Compute the cross entropy of gel or not, each as likely as its classes together."""
    gel = torch.tensor(list(CLASSES.values()), device=logits.device)
    odds = logits[:, gel].logsumexp(1) - logits[:, ~gel].logsumexp(1)
    return functional.binary_cross_entropy_with_logits(odds, gel[labels].float())


def as_input(views: torch.Tensor) -> torch.Tensor:
    """Turn uint8 (n, H, W) into what ImageNet's networks of torchvision take: (n, 3, H, W)."""
    mean = torch.tensor([0.485, 0.456, 0.406], device=views.device).reshape(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225], device=views.device).reshape(3, 1, 1)
    images = (views[:, None].float() / 255 - mean) / std
    return images.contiguous(memory_format=torch.channels_last)
