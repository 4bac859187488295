"""Explanation maps of some scored images: of the test part, or of all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gellib.data import ImageSet
from gellib.models.compute import Compute
from gellib.models.explain import Explanation, explain_views
from gellib.models.features import unaugmented_views
from gellib.models.training import TrainResult
from gellib.training_run.run_evaluation import RunEvaluation

# One forward pass each, a second for the largest networks; they fit in one row of the figure.
MOST = 4
MOST_WRONG = 2


@dataclass(frozen=True)
class Explained:
    """Maps of some scored images.

    Attributes
    ----------
    explanation
        The maps.
    rows
        Rows of the images in the table.
    targets
        The class that each map is for.
    right
        Whether this class is a true label of the image.
    """

    explanation: Explanation
    rows: np.ndarray
    targets: np.ndarray
    right: np.ndarray


def explain_some(
    images: ImageSet,
    result: TrainResult,
    evaluation: RunEvaluation,
    compute: Compute,
) -> Explained | None:
    """Explain at most 4 scored images: up to 2 mistakes, and correct ones of all classes in turn.

    Images with the highest probabilities come first. A map is for the predicted class; of several
    labels, for the most probable of the wrong ones, or of all if the image is correct.

    Parameters
    ----------
    images
        The images of the run.
    result
        The trained model.
    evaluation
        Its predictions.
    compute
        How to compute; the precision is that of the training.

    Returns
    -------
    Explained or None
        None if no such image has a prediction.
    """
    rows, targets, right = choose_explained(evaluation)
    if not len(rows):
        return None
    paths = list(images.table["path"].iloc[rows])
    views = list(unaugmented_views(paths, result.backbone.preprocessing, compute.limits))
    found = explain_views(
        result.backbone,
        result.head,
        np.concatenate(views),
        targets,
        replace(compute, precision=result.precision),
    )
    return Explained(found, rows, targets, right)


def choose_explained(evaluation: RunEvaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose scored images: rows of the table, the class that each is explained for, if it is true.

    A multi-label image of which a label is missed, and none is wrong, has nothing to explain.
    """
    test = np.flatnonzero(evaluation.scored_rows)
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
