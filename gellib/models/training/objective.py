"""What training minimises, and what it reports: losses, targets, weights of the classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.evaluation import MULTILABEL, SINGLE_LABEL, Task, task_of_targets

FOCAL_GAMMA = 2.0


def encode_labels(imageset: ImageSet) -> np.ndarray:
    """Turn the labels into targets: int64 (n,), or float32 (n, classes) for several per image."""
    targets = imageset.targets()
    return targets if imageset.task.exclusive else targets.astype(np.float32)


def count_targets(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Count the images of each class, at least 1, so that it can be divided by."""
    members = task_of_targets(targets).memberships(targets, n_classes)
    return np.maximum(members.sum(0).astype(np.float64), 1)


def class_weights(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Weigh the classes by their inverse frequency, with a mean of 1."""
    weights = 1 / count_targets(targets, n_classes)
    return weights / weights.mean()


def positive_weights(targets: np.ndarray, n_classes: int) -> np.ndarray:
    """Weigh the images that have a label by how many have not, class by class."""
    counts = count_targets(targets, n_classes)
    return np.maximum(len(targets) - counts, 1) / counts


@dataclass(frozen=True)
class Objective(ABC):
    """The loss of a run.

    `weights` are the classes' weights (classes,), or where images have several labels those of the
    images that have each; of a stack of heads (K, classes). `loss` is minimised; `plain_loss` knows
    no weights, smoothing or focus, so that it compares between training and validation, and between
    runs.
    """

    task: ClassVar[Task]
    smoothing: float = 0.0
    gamma: float = 0.0
    weights: torch.Tensor | None = None

    @staticmethod
    def of(
        config: RunConfig, targets: np.ndarray, n_classes: int, device: torch.device
    ) -> Objective:
        """Set the loss up for a configuration and its training targets.

        Parameters
        ----------
        config
            Its `imbalance` and `label_smoothing` count.
        targets
            Those of the training images: (n,), or (n, classes) of 0 and 1.
        n_classes
            How many classes there are.
        device
            Where the loss is computed.
        """
        kind, weights = objective_of(targets), None
        if config.imbalance == "class_weights":
            weights = torch.from_numpy(kind.class_weights(targets, n_classes)).float().to(device)
        gamma = FOCAL_GAMMA if config.imbalance == "focal" else 0.0
        return kind(config.label_smoothing, gamma, weights)

    @staticmethod
    @abstractmethod
    def class_weights(targets: np.ndarray, n_classes: int) -> np.ndarray:
        """Weigh the classes against their imbalance."""

    @abstractmethod
    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute what is minimised, averaged over the batch."""

    @abstractmethod
    def stacked_loss(
        self, logits: torch.Tensor, targets: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Compute what `loss` computes, of K heads at once: (K,).

        `logits` are (K, B, classes), `targets` (K, B), or (K, B, classes) of 0 and 1; `present`
        (K, B) says which images count, since others fill up smaller batches. `weights` are
        (K, classes).
        """

    @abstractmethod
    def plain_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> float:
        """Compute the bare cross entropy, in nats; of several labels the mean over them."""

    @abstractmethod
    def decide(self, logits: torch.Tensor) -> np.ndarray:
        """Decide from logits: booleans (n, classes), each label of several at a half."""

    def truth(self, targets: torch.Tensor, n_classes: int) -> np.ndarray:
        """Return the targets as `decide` returns decisions."""
        return self.task.memberships(targets.numpy(), n_classes)


class CrossEntropy(Objective):
    """Cross entropy, of classes that exclude each other."""

    task = SINGLE_LABEL
    class_weights = staticmethod(class_weights)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute what is minimised, averaged over the batch."""
        options: dict[str, Any] = {"label_smoothing": self.smoothing, "weight": self.weights}
        if not self.gamma:
            return nn.functional.cross_entropy(logits, targets, **options)
        losses = nn.functional.cross_entropy(logits, targets, **options, reduction="none")
        sure = logits.softmax(1).gather(1, targets[:, None])[:, 0]
        return ((1 - sure) ** self.gamma * losses).mean()

    def stacked_loss(
        self, logits: torch.Tensor, targets: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Compute what `loss` computes, of K heads at once: (K,)."""
        logs = logits.log_softmax(2)
        own = logs.gather(2, targets[..., None])[..., 0]
        if self.weights is None:
            share = present.to(logits.dtype)
            smooth = logs.mean(2)
        else:
            of_images = self.weights.gather(1, targets)
            share = of_images * present
            smooth = (logs * self.weights[:, None]).mean(2) / of_images
        losses = -(1 - self.smoothing) * own - self.smoothing * smooth
        if self.gamma:
            losses = (1 - own.exp()) ** self.gamma * losses
        return (losses * share).sum(1) / share.sum(1)

    def plain_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> float:
        """Compute the bare cross entropy, in nats."""
        return nn.functional.cross_entropy(logits, targets).item()

    def decide(self, logits: torch.Tensor) -> np.ndarray:
        """Decide for the class with the largest logit."""
        return self.task.decide(logits.numpy())


class BinaryCrossEntropy(Objective):
    """Binary cross entropy of each label, averaged over labels and images."""

    task = MULTILABEL
    class_weights = staticmethod(positive_weights)

    def loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Compute what is minimised, averaged over the batch."""
        return self._losses(logits, targets, self.weights).mean()

    def _losses(
        self, logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None
    ) -> torch.Tensor:
        """Compute the loss of each label of each image."""
        soft = targets * (1 - self.smoothing) + self.smoothing / 2
        losses = nn.functional.binary_cross_entropy_with_logits(
            logits, soft, pos_weight=weights, reduction="none"
        )
        if not self.gamma:
            return losses
        sure = torch.where(targets > 0, logits.sigmoid(), (-logits).sigmoid())
        return (1 - sure) ** self.gamma * losses

    def stacked_loss(
        self, logits: torch.Tensor, targets: torch.Tensor, present: torch.Tensor
    ) -> torch.Tensor:
        """Compute what `loss` computes, of K heads at once: (K,)."""
        each = None if self.weights is None else self.weights[:, None]
        losses = self._losses(logits, targets, each).mean(2) * present
        return losses.sum(1) / present.sum(1)

    def plain_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> float:
        """Compute the bare binary cross entropy, in nats."""
        return nn.functional.binary_cross_entropy_with_logits(logits, targets).item()

    def decide(self, logits: torch.Tensor) -> np.ndarray:
        """Decide for each label whose probability is above a half."""
        return (logits > 0).numpy()


def objective_of(targets: np.ndarray) -> type[CrossEntropy] | type[BinaryCrossEntropy]:
    """Return the loss that belongs to targets."""
    return CrossEntropy if task_of_targets(targets).exclusive else BinaryCrossEntropy
