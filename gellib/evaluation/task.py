"""Whether an image has one label or several, and all that follows from it: `Task`.

There are two, `SINGLE_LABEL` and `MULTILABEL`. A set of images has the one that its labels ask for,
a record names it, and its methods compute targets, decisions, scores and intervals.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from gellib.base.text import labels_of
from gellib.evaluation.intervals import class_intervals, intervals, multilabel_intervals
from gellib.evaluation.multilabel import (
    BASELINE,
    Thresholds,
    evaluate_multilabel,
    multi_hot,
    tune_thresholds,
)
from gellib.evaluation.registry import TaskName
from gellib.evaluation.scores import evaluate
from gellib.evaluation.selective import entropy, label_entropy
from gellib.evaluation.task_base import Label, Task

_TINY = 1e-300
_LEAST_LIKELIHOOD = 1e-12


class _SingleLabel(Task):
    """One label per image."""

    name: TaskName = "single_label"
    exclusive = True
    headline = "accuracy"

    def pack(self, numbers: tuple[int, ...]) -> Label:
        (number,) = numbers
        return number

    def targets(self, labels: Collection[Label] | pd.Series, n_classes: int) -> np.ndarray:
        return np.asarray(list(labels), dtype=np.int64)

    def memberships(self, targets: np.ndarray, n_classes: int) -> np.ndarray:
        return targets[:, None] == np.arange(n_classes)

    def labels_of(self, text: str) -> list[str]:
        return [text]

    def score_prediction(self, label: str, predicted: str) -> float:
        return float(label == predicted)

    def tune_thresholds(self, targets: np.ndarray, probabilities: np.ndarray) -> None:
        return None

    def decide(
        self, probabilities: np.ndarray, thresholds: Sequence[float] | np.ndarray | None = None
    ) -> np.ndarray:
        return self.memberships(probabilities.argmax(axis=1), probabilities.shape[1])

    def apply_temperature(self, probabilities: np.ndarray, temperature: float) -> np.ndarray:
        p = np.asarray(probabilities, dtype=np.float64)
        if temperature == 1.0:
            return p
        logs = np.log(np.maximum(p, _TINY)) / temperature
        powers = np.exp(logs - logs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def losses(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        likelihood = probabilities[np.arange(len(targets)), targets]
        return -np.log(np.maximum(likelihood, _LEAST_LIKELIHOOD))

    def brier(self, targets: np.ndarray, probabilities: np.ndarray) -> float:
        truth = np.eye(np.shape(probabilities)[1])[targets]
        # Half the sum over the classes: for two classes the square of either's error.
        return float(((np.asarray(probabilities) - truth) ** 2).sum(axis=1).mean() / 2)

    def confidences(
        self, targets: np.ndarray, probabilities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        right = probabilities.argmax(axis=1) == targets
        return probabilities.max(axis=1), right.astype(float)

    def entropy(self, probabilities: np.ndarray) -> np.ndarray:
        return entropy(probabilities)

    def evaluate(
        self,
        targets: np.ndarray,
        probabilities: np.ndarray,
        classes: Sequence[str],
        *,
        positive: str = "",
        thresholds: Thresholds | None = None,
    ) -> dict[str, Any]:
        return evaluate(targets, probabilities, classes, positive=positive)

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
        known: dict[str, Any] = {"groups": groups, "seed": seed}
        return {
            "intervals": intervals(targets, probabilities, classes, positive=positive, **known),
            "class_intervals": class_intervals(targets, probabilities, classes, **known),
        }


class _Multilabel(Task):
    """Any number of labels per image."""

    name: TaskName = "multilabel"
    exclusive = False
    headline = "f1_samples"

    def pack(self, numbers: tuple[int, ...]) -> Label:
        return tuple(sorted(numbers))

    def targets(self, labels: Collection[Label] | pd.Series, n_classes: int) -> np.ndarray:
        return multi_hot(labels, n_classes)

    def memberships(self, targets: np.ndarray, n_classes: int) -> np.ndarray:
        return np.asarray(targets) > 0

    def labels_of(self, text: str) -> list[str]:
        return labels_of(text)

    def score_prediction(self, label: str, predicted: str) -> float:
        true, given = set(labels_of(label)), set(labels_of(predicted))
        return 2 * len(true & given) / (len(true) + len(given)) if true or given else 1.0

    def tune_thresholds(self, targets: np.ndarray, probabilities: np.ndarray) -> Thresholds:
        return tune_thresholds(targets, probabilities)

    def decide(
        self, probabilities: np.ndarray, thresholds: Sequence[float] | np.ndarray | None = None
    ) -> np.ndarray:
        return probabilities >= (BASELINE if thresholds is None else np.asarray(thresholds))

    def apply_temperature(self, probabilities: np.ndarray, temperature: float) -> np.ndarray:
        p = np.asarray(probabilities, dtype=np.float64)
        if temperature == 1.0:
            return p
        logs = np.log(np.maximum(p, _TINY)) / temperature
        return expit(logs - np.log(np.maximum(1 - p, _TINY)) / temperature)

    def losses(self, targets: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        likelihood = np.where(np.asarray(targets) == 1, probabilities, 1 - probabilities)
        return -np.log(np.maximum(likelihood, _LEAST_LIKELIHOOD)).mean(axis=1)

    def brier(self, targets: np.ndarray, probabilities: np.ndarray) -> float:
        return float(((np.asarray(probabilities) - targets) ** 2).mean())

    def confidences(
        self, targets: np.ndarray, probabilities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        # Each label of each image is a prediction.
        return probabilities.ravel(), np.asarray(targets, dtype=float).ravel()

    def entropy(self, probabilities: np.ndarray) -> np.ndarray:
        return label_entropy(probabilities)

    def evaluate(
        self,
        targets: np.ndarray,
        probabilities: np.ndarray,
        classes: Sequence[str],
        *,
        positive: str = "",
        thresholds: Thresholds | None = None,
    ) -> dict[str, Any]:
        cut = None if thresholds is None else thresholds.values.tolist()
        return evaluate_multilabel(targets, probabilities, classes, cut)

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
        cut = np.full(len(classes), BASELINE) if thresholds is None else thresholds.values
        found = multilabel_intervals(targets, probabilities, cut, groups=groups, seed=seed)
        return {"intervals": found}


SINGLE_LABEL: Task = _SingleLabel()
MULTILABEL: Task = _Multilabel()
TASKS = (SINGLE_LABEL, MULTILABEL)
# The first version's records call one label per image so, by the number of classes.
_ALIASES = {"binary": SINGLE_LABEL, "multiclass": SINGLE_LABEL}


def find_task(name: str) -> Task:
    """Return the task of a name.

    Raises
    ------
    ValueError
        When there is none.
    """
    known = {task.name: task for task in TASKS} | _ALIASES
    if name not in known:
        expected = " or ".join(repr(task.name) for task in TASKS)
        raise ValueError(f"task: got {name!r}, expected {expected}")
    return known[name]


def task_of_targets(targets: np.ndarray) -> Task:
    """Return the task that targets belong to: class numbers (n,), or 0 and 1 (n, C)."""
    return MULTILABEL if np.ndim(targets) == 2 else SINGLE_LABEL


def task_of_labels(several: bool) -> Task:
    """Return the task of images of which some may have several labels, or none of them."""
    return MULTILABEL if several else SINGLE_LABEL
