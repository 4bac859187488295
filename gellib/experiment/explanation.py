"""Which test images are explained, and what the network looked at in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from gellib.datasets import ImageSet
from gellib.experiment.judgement import Judgement
from gellib.explain import Explanation, explain_views
from gellib.features import plain_views
from gellib.images import ImageLimits
from gellib.training import TrainResult

# A forward pass each: a second for the largest networks, and one line of pictures.
MOST = 4
MOST_WRONG = 2


@dataclass(frozen=True)
class Explained:
    """Maps of some test images: `rows` of the table, with the `targets` that they speak for."""

    explanation: Explanation
    rows: np.ndarray
    targets: np.ndarray


def explain_some(
    images: ImageSet,
    result: TrainResult,
    judged: Judgement,
    limits: ImageLimits,
    *,
    device: torch.device | str = "cpu",
) -> Explained:
    """Explain at most 4 test images: the 2 surest mistakes, and right ones of all classes in turn.

    A map speaks for the predicted class; of several labels an image, for the most probable one.
    """
    rows = _chosen(judged)
    targets = judged.probabilities[rows].argmax(axis=1)
    paths = list(images.table["path"].iloc[rows])
    views = list(plain_views(paths, result.backbone.preprocessing, limits))
    found = explain_views(
        result.backbone,
        result.head,
        np.concatenate(views),
        targets,
        precision=result.precision,
        device=device,
    )
    return Explained(found, rows, targets)


def _chosen(judged: Judgement) -> np.ndarray:
    table = judged.predictions
    test = np.flatnonzero(judged.rows("test"))
    wrong = (table["label"] != table["predicted"]).to_numpy()[test]
    sure = judged.probabilities[test].max(axis=1)
    mistakes = test[wrong][np.argsort(-sure[wrong], kind="stable")][:MOST_WRONG]
    right = test[~wrong]
    # The first of each class, then the second of each: every class has its turn.
    labels = table["label"].iloc[right]
    turn = labels.groupby(labels.to_numpy()).cumcount().to_numpy()
    rest = right[np.argsort(turn, kind="stable")][: MOST - len(mistakes)]
    return np.concatenate([mistakes, rest])
