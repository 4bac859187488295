"""Which test images are explained, and by which of their regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from gellib.data import ImageSet
from gellib.data.image_files import ImageLimits
from gellib.models.explain import Explanation, explain_views
from gellib.models.features import unaugmented_views
from gellib.models.training import TrainResult
from gellib.training_run.evaluation import RunEvaluation

# A forward pass each: a second for the largest networks, and one row of images.
MOST = 4
MOST_WRONG = 2


@dataclass(frozen=True)
class Explained:
    """Maps of some test images: `rows` of the table, with the `targets` that they explain.

    `right` is whether a target is true of its image.
    """

    explanation: Explanation
    rows: np.ndarray
    targets: np.ndarray
    right: np.ndarray


def explain_some(
    images: ImageSet,
    result: TrainResult,
    evaluation: RunEvaluation,
    limits: ImageLimits,
    *,
    device: torch.device | str = "cpu",
) -> Explained | None:
    """Explain at most 4 test images: the 2 surest mistakes, and right ones of all classes in turn.

    A map explains the predicted class; of a multi-label image, the surest of those labels that are
    predicted and wrong, or of all that are predicted if the image is right.

    Parameters
    ----------
    images
        All images of the run.
    result
        The trained backbone and head.
    evaluation
        The predictions of the images.
    limits
        Largest images that are read.
    device
        Where the maps are computed.

    Returns
    -------
    Explained or None
        None where no test image has a prediction.
    """
    rows, targets, right = choose_explained(evaluation)
    if not len(rows):
        return None
    paths = list(images.table["path"].iloc[rows])
    views = list(unaugmented_views(paths, result.backbone.preprocessing, limits))
    found = explain_views(
        result.backbone,
        result.head,
        np.concatenate(views),
        targets,
        precision=result.precision,
        device=device,
    )
    return Explained(found, rows, targets, right)


def choose_explained(evaluation: RunEvaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose test images: rows of the table, the class that each is explained for, if it is true.

    A multi-label image of which a label is missed, and none is wrong, has nothing to explain.
    """
    test = np.flatnonzero(evaluation.rows("test"))
    probabilities = evaluation.probabilities[test]
    predicted = evaluation.decided()[test]
    true = evaluation.task.memberships(evaluation.truth[test], probabilities.shape[1])
    mistaken = predicted & ~true
    wrong = mistaken.any(axis=1)
    right = predicted.any(axis=1) & (predicted == true).all(axis=1)
    candidates = np.where(wrong[:, None], mistaken, predicted)
    target = np.where(candidates, probabilities, -1).argmax(axis=1)
    sure = probabilities[np.arange(len(test)), target]
    mistakes = np.flatnonzero(wrong)[np.argsort(-sure[wrong], kind="stable")][:MOST_WRONG]
    # The first of each class, then the second of each: every class has its turn.
    turn = pd.Series(target[right]).groupby(target[right]).cumcount().to_numpy()
    rest = np.flatnonzero(right)[np.argsort(turn, kind="stable")][: MOST - len(mistakes)]
    chosen = np.concatenate([mistakes, rest])
    return test[chosen], target[chosen], right[chosen]
