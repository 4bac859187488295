"""Classifier heads: from the features of a backbone to the logits of the classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from gellib.evaluation import SINGLE_LABEL, Task, find_task
from gellib.models.backbones import isolated_rng

_RESIDUAL = ((512, 0.5), (512, 0.4), (256, 0.3), (128, 0.2))  # width and dropout, layer by layer
_ATTENTION_WIDTHS = (512, 256, 128)
_SQUEEZE = 16


class Head(nn.Sequential):
    """Layers from features (N, in_features) to logits (N, n_classes).

    Parameters
    ----------
    kind
        One of `HEADS`.
    in_features
        Number of features per image.
    n_classes
        Number of classes.
    task
        What the logits mean: whether one class excludes the others.
    dropout
        Probability of dropout; 0: that of the kind.
    """

    def __init__(
        self, kind: str, in_features: int, n_classes: int, task: Task, dropout: float
    ) -> None:
        super().__init__(*HEADS[kind](in_features, n_classes, dropout))
        self.kind = kind
        self.in_features = in_features
        self.n_classes = n_classes
        self.task = task
        self.dropout = dropout

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Convert logits to probabilities (N, n_classes): a softmax if classes exclude each other.

        Otherwise it is a sigmoid of each logit.
        """
        return logits.softmax(dim=1) if self.task.exclusive else logits.sigmoid()

    def facts(self) -> dict[str, str | int | float]:
        """Return the arguments with which `build_head` builds the same head."""
        return {
            "kind": self.kind,
            "in_features": self.in_features,
            "n_classes": self.n_classes,
            "task": self.task.name,
            "dropout": self.dropout,
        }


def build_head(
    kind: str,
    in_features: int,
    n_classes: int,
    *,
    task: Task | str = SINGLE_LABEL,
    dropout: float = 0.0,
    seed: int,
) -> Head:
    """Build a head whose initial weights depend on its kind and sizes and on the seed only.

    `single` is one linear layer. `multi` is Linear 512, ReLU, Dropout 0.25, Linear 256, ReLU,
    Dropout 0.5, Linear to the classes, as in the reference gel system. `dense` is Linear 512, ReLU,
    Dropout 0.5, Linear. `residual` has four layers, each with a batch norm and a skip connection,
    dropout decreasing from 0.5 to 0.2, and Xavier initialisation. `attention` is a squeeze and
    excitation of the features, then three layers with batch norm, ReLU and Dropout 0.4.

    Parameters
    ----------
    kind
        One of `HEADS`.
    in_features
        Number of features per image.
    n_classes
        Number of classes.
    task
        What the logits mean, or the name of the task.
    dropout
        If above 0, the probability of dropout instead of the head's own; in `residual`, instead of
        the largest one, with the others in proportion.
    seed
        Seed of the run.

    Raises
    ------
    ValueError
        For an unknown kind or task, and for less than two classes that exclude each other.
    """
    if kind not in HEADS:
        raise ValueError(f"classifier_head: got {kind!r}, expected one of {', '.join(HEADS)}")
    task = find_task(task) if isinstance(task, str) else task
    if n_classes < 2 and task.exclusive:
        raise ValueError(f"a head needs at least two classes, got {n_classes}")
    with isolated_rng(seed, "head", kind), torch.device("cpu"):
        return Head(kind, in_features, n_classes, task, dropout)


def _single(in_features: int, n_classes: int, dropout: float) -> list[nn.Module]:
    linear = nn.Linear(in_features, n_classes)
    return [nn.Dropout(dropout), linear] if dropout else [linear]


def _multi(in_features: int, n_classes: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Linear(in_features, 512),
        nn.ReLU(),
        nn.Dropout(dropout or 0.25),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Dropout(dropout or 0.5),
        nn.Linear(256, n_classes),
    ]


def _dense(in_features: int, n_classes: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Linear(in_features, 512),
        nn.ReLU(),
        nn.Dropout(dropout or 0.5),
        nn.Linear(512, n_classes),
    ]


def _residual(in_features: int, n_classes: int, dropout: float) -> list[nn.Module]:
    scale = dropout / _RESIDUAL[0][1] if dropout else 1
    layers: list[nn.Module] = []
    for width, own_dropout in _RESIDUAL:
        layers.append(ResidualLayer(in_features, width, own_dropout * scale))
        in_features = width
    layers.append(nn.Linear(in_features, n_classes))
    for layer in nn.ModuleList(layers).modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return layers


def _attention(in_features: int, n_classes: int, dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = [ChannelAttention(in_features)]
    for width in _ATTENTION_WIDTHS:
        layers += [
            nn.Linear(in_features, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout or 0.4),
        ]
        in_features = width
    return [*layers, nn.Linear(in_features, n_classes)]


class ResidualLayer(nn.Module):
    """Linear, batch norm, skip connection, ReLU, dropout.

    The skip connection is a projection if the widths differ.
    """

    def __init__(self, in_features: int, out_features: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.norm = nn.BatchNorm1d(out_features)
        same = in_features == out_features
        self.skip = nn.Identity() if same else nn.Linear(in_features, out_features, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute (N, out_features)."""
        return self.dropout(torch.relu(self.norm(self.linear(x)) + self.skip(x)))


class ChannelAttention(nn.Module):
    """Squeeze and excitation: each feature gets a weight, 0 to 1, computed from all features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        narrow = max(features // _SQUEEZE, 8)
        self.weigh = nn.Sequential(
            nn.Linear(features, narrow), nn.ReLU(), nn.Linear(narrow, features), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the weighted features, (N, features)."""
        return x * self.weigh(x)


HEADS: dict[str, Callable[[int, int, float], list[nn.Module]]] = {
    "single": _single,
    "multi": _multi,
    "dense": _dense,
    "residual": _residual,
    "attention": _attention,
}
