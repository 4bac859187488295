"""What training minimises, and what it reports: losses, targets, weights of the classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.evaluation import multi_hot

FOCAL_GAMMA = 2.0


def encode_labels(imageset: ImageSet) -> np.ndarray:
    """Turn the labels into targets: class numbers (n,), or a 0/1 row an image for several labels.

    They are int64 for one label an image and float32 (n, classes) for several.
    """
    labels = imageset.table["label"]
    if imageset.task != "multilabel":
        return labels.to_numpy(dtype=np.int64)
    return multi_hot(labels, len(imageset.classes)).astype(np.float32)


def class_counts(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Count the images of each class, at least 1, so that it can be divided by."""
    counts = targets.sum(0) if targets.ndim == 2 else np.bincount(targets, minlength=n_classes)
    return np.maximum(np.asarray(counts, dtype=np.float64), 1)


def class_weights(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Weigh the classes by their inverse frequency, with a mean of 1."""
    weights = 1 / class_counts(targets, n_classes)
    return weights / weights.mean()


def positive_weights(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Weigh the images that have a label by how many have not, class by class."""
    counts = class_counts(targets, n_classes)
    return np.maximum(len(targets) - counts, 1) / counts


@dataclass(frozen=True)
class Objective:
    """The loss of a run: of one label an image cross entropy, of several binary cross entropy.

    `weights` are the classes' weights, for several labels those of their positive images.
    `loss` is minimised; `plain_loss` knows no weights, smoothing or focus, so that it compares
    between training and validation, and between runs.
    """

    multilabel: bool = False
    smoothing: float = 0.0
    gamma: float = 0.0
    weights: torch.Tensor | None = None

    @classmethod
    def of(
        cls, config: RunConfig, targets: np.ndarray, n_classes: int, device: torch.device
    ) -> Objective:
        """Set the loss up for a configuration and its training targets."""
        multilabel = targets.ndim == 2
        weights = None
        if config.imbalance == "class_weights":
            weigh = positive_weights if multilabel else class_weights
            weights = torch.from_numpy(weigh(targets, n_classes)).float().to(device)
        gamma = FOCAL_GAMMA if config.imbalance == "focal" else 0.0
        return cls(multilabel, config.label_smoothing, gamma, weights)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute what is minimised, averaged over the batch."""
        if self.multilabel:
            return self._binary(logits, targets)
        options: dict[str, Any] = {"label_smoothing": self.smoothing, "weight": self.weights}
        if not self.gamma:
            return nn.functional.cross_entropy(logits, targets, **options)
        losses = nn.functional.cross_entropy(logits, targets, **options, reduction="none")
        sure = logits.softmax(1).gather(1, targets[:, None])[:, 0]
        return ((1 - sure) ** self.gamma * losses).mean()

    def _binary(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        soft = targets * (1 - self.smoothing) + self.smoothing / 2
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, soft, pos_weight=self.weights, reduction="none"
        )
        if self.gamma:
            sure = torch.where(targets > 0, logits.sigmoid(), (-logits).sigmoid())
            losses = (1 - sure) ** self.gamma * losses
        return losses.mean()

    def plain_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> float:
        """Compute the bare cross entropy, in nats; for several labels the mean over them."""
        if self.multilabel:
            return nn.functional.binary_cross_entropy_with_logits(logits, targets).item()
        return nn.functional.cross_entropy(logits, targets).item()

    def decide(self, logits: torch.Tensor) -> np.ndarray:
        """Decide for classes: a boolean row an image; of several labels each at a half."""
        if self.multilabel:
            return (logits > 0).numpy()
        return one_hot(logits.argmax(1).numpy(), logits.shape[1])

    def truth(self, targets: torch.Tensor, n_classes: int) -> np.ndarray:
        """Return the targets as `decide` returns decisions."""
        return (targets > 0).numpy() if self.multilabel else one_hot(targets.numpy(), n_classes)


def one_hot(numbers: np.ndarray, n_classes: int) -> np.ndarray:
    """Turn class numbers into boolean rows."""
    return numbers[:, None] == np.arange(n_classes)
