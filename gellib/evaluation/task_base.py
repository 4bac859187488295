"""What a `Task` knows: whether images have one label or several, and what follows from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gellib.evaluation.multilabel import Thresholds
from gellib.evaluation.registry import Metric, TaskName, all_metrics, find_metric

Label = int | tuple[int, ...]


class Task(ABC):
    """What the labels of images mean; its two instances are the only ones.

    Targets are class numbers (n,) or 0 and 1 (n, C), probabilities (n, C).

    Attributes
    ----------
    name
        `single_label` or `multilabel`, as in records and models.
    exclusive
        Whether one class excludes the others.
    headline
        The metric by which runs are ranked and compared.
    """

    name: TaskName
    exclusive: bool
    headline: str

    def __repr__(self) -> str:
        return f"Task({self.name})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy, also one in another process, is the same object: tasks are compared by identity.
        from gellib.evaluation.task import find_task

        return find_task, (self.name,)

    @property
    def headline_words(self) -> str:
        """The metric by which runs are compared, in words: `accuracy`, `F1 per image`."""
        return find_metric(self.headline, self.name).heading

    def metrics(self) -> list[Metric]:
        """Return the registered metrics of this task, in the order of tables."""
        return list(all_metrics(self.name))

    # -- labels ---------------------------------------------------------------------------------

    @abstractmethod
    def pack(self, numbers: tuple[int, ...]) -> Label:
        """Turn the class numbers of one image into its label, as the table of images has it."""

    @abstractmethod
    def targets(self, labels: Collection[Label] | pd.Series, n_classes: int) -> np.ndarray:
        """Turn the labels of images into targets, int64."""

    @abstractmethod
    def memberships(self, targets: np.ndarray, n_classes: int) -> np.ndarray:
        """Turn targets into booleans (n, C): which classes each image has."""

    @abstractmethod
    def labels_of(self, text: str) -> list[str]:
        """Read the class names of one image from what `join_labels` wrote."""

    @abstractmethod
    def score_prediction(self, label: str, predicted: str) -> float:
        """Score the prediction for one image, 0..1; the mean over images is the headline metric."""

    # -- probabilities --------------------------------------------------------------------------

    @abstractmethod
    def tune_thresholds(self, targets: np.ndarray, probabilities: np.ndarray) -> Thresholds | None:
        """Choose the thresholds of the classes on validation images; None where there are none."""

    @abstractmethod
    def decide(
        self, probabilities: np.ndarray, thresholds: Sequence[float] | np.ndarray | None = None
    ) -> np.ndarray:
        """Decide from probabilities: booleans (n, C), which classes each image is given."""

    @abstractmethod
    def apply_temperature(self, probabilities: np.ndarray, temperature: float) -> np.ndarray:
        """Divide the logits behind probabilities by a temperature."""

    @abstractmethod
    def losses(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """Compute the negative log-likelihood of each image (n,), in nats."""

    @abstractmethod
    def brier(self, targets: np.ndarray, probabilities: np.ndarray) -> float:
        """Compute the mean squared distance of the probabilities from the truth, 0..1."""

    @abstractmethod
    def confidences(
        self, targets: np.ndarray, probabilities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return how sure each prediction is, and whether it is right (1 or 0)."""

    @abstractmethod
    def entropy(self, probabilities: np.ndarray) -> np.ndarray:
        """Compute the entropy of each prediction (n,), in nats."""

    # -- scores ---------------------------------------------------------------------------------

    @abstractmethod
    def evaluate(
        self,
        targets: np.ndarray,
        probabilities: np.ndarray,
        classes: Sequence[str],
        *,
        positive: str = "",
        thresholds: Thresholds | None = None,
    ) -> dict[str, Any]:
        """Score probabilities against the truth.

        Parameters
        ----------
        targets, probabilities
            Of n images.
        classes
            C class names.
        positive
            Of two classes that exclude each other, the positive one.
        thresholds
            Several labels per image: the probability from which each is given.

        Returns
        -------
        dict
            What `evaluate` or `evaluate_multilabel` gives.
        """

    @abstractmethod
    def intervals(
        self,
        targets: np.ndarray,
        probabilities: np.ndarray,
        classes: Sequence[str],
        *,
        positive: str = "",
        thresholds: Thresholds | None = None,
        groups: Sequence[object] | None = None,
        seed: int = 0,
    ) -> dict[str, Any]:
        """Compute the 95 % intervals of what `evaluate` gives: `intervals`, and of each class.

        Parameters
        ----------
        targets, probabilities, classes, positive, thresholds
            As for `evaluate`.
        groups
            (n,) names; images of one name are not independent. Empty ones stand alone.
        seed
            Of the draws.
        """
