"""How well an epoch went: loss, accuracy, and of each class precision, recall and F1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from gellib.evaluation.metric_functions import precision_recall_f1
from gellib.models.training.objective import Objective


class EpochScores(NamedTuple):
    """Scores of one part of the images after an epoch; arrays have an entry a class."""

    loss: float
    accuracy: float
    f1: float
    class_precision: np.ndarray
    class_recall: np.ndarray
    class_f1: np.ndarray


def score_epoch(objective: Objective, logits: torch.Tensor, targets: torch.Tensor) -> EpochScores:
    """Score logits (n, classes); `f1` is the mean over the classes.

    Accuracy is the share of right images; with several labels per image, the share of right labels.
    Precision of a class that was never predicted, and recall of one without images, count as 0.
    Without images everything is NaN.
    """
    n_classes = logits.shape[1]
    if not len(logits):
        nothing = np.full(n_classes, np.nan)
        return EpochScores(np.nan, np.nan, np.nan, nothing, nothing, nothing)
    predicted, true = objective.decide(logits), objective.truth(targets, n_classes)
    precision, recall, f1 = precision_recall_f1(
        (predicted & true).sum(0), predicted.sum(0), true.sum(0)
    )
    right = predicted == true
    accuracy = right.all(1).mean() if objective.task.exclusive else right.mean()
    loss = objective.plain_loss(logits, targets)
    return EpochScores(loss, float(accuracy), float(f1.mean()), precision, recall, f1)
