"""The classifier heads on top of a backbone's features."""

from __future__ import annotations

import torch
from torch import nn

from gellib.backbones import seeded

KINDS = ("single", "multi")
TASKS = ("single_label", "multilabel")


class Head(nn.Sequential):
    """Layers from features (N, in_features) to logits (N, n_classes); it knows its own kind.

    Its `task` says what the logits mean: `single_label` ones exclude each other, those of
    `multilabel` do not.
    """

    def __init__(self, kind: str, in_features: int, n_classes: int, task: str) -> None:
        super().__init__(*_layers(kind, in_features, n_classes))
        self.kind = kind
        self.in_features = in_features
        self.n_classes = n_classes
        self.task = task

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Turn logits into probabilities: a softmax, or a sigmoid of each for `multilabel`."""
        return logits.sigmoid() if self.task == "multilabel" else logits.softmax(dim=1)


def build_head(
    kind: str, in_features: int, n_classes: int, *, task: str = "single_label", seed: int
) -> Head:
    """Build a head with initial weights that depend on the seed alone.

    `single` is one linear layer. `multi` is Linear 512, ReLU, Dropout 0.25, Linear 256, ReLU,
    Dropout 0.5, Linear to the classes, as in the reference gel system.
    """
    if kind not in KINDS:
        raise ValueError(f"classifier_head: got {kind!r}, expected one of {', '.join(KINDS)}")
    if task not in TASKS:
        raise ValueError(f"task of a head: got {task!r}, expected one of {', '.join(TASKS)}")
    if n_classes < 2 and task == "single_label":
        raise ValueError(f"a head needs at least two classes, got {n_classes}")
    with seeded(seed, "head", kind), torch.device("cpu"):
        return Head(kind, in_features, n_classes, task)


def _layers(kind: str, in_features: int, n_classes: int) -> list[nn.Module]:
    if kind == "single":
        return [nn.Linear(in_features, n_classes)]
    return [
        nn.Linear(in_features, 512),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(512, 256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(256, n_classes),
    ]
