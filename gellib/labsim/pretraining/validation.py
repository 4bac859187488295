"""Accuracy of a file of weights on held-out simulated images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from gellib.labsim.pretraining.weights_files import load_class_model
from gellib.labsim.simulate import CLASSES, simulate
from gellib.models.backbones import CONTRASTS
from gellib.models.training import predict_images

# Training seeds are small numbers, so no training image is among the held-out ones.
SEED = 1_000_003
SIZE_PX = 256
PER_CLASS = 24


@dataclass(frozen=True)
class HeldOutPredictions:
    """Predictions of held-out images: true classes (n,), probabilities (n, classes)."""

    truth: np.ndarray
    probabilities: np.ndarray
    classes: dict[str, bool]

    @property
    def gel(self) -> np.ndarray:
        """Whether each class is a gel, (classes,)."""
        return np.array(list(self.classes.values()))

    def figures(self) -> dict[str, float]:
        """Compute the accuracy over the classes, and of gel or not.

        `gel_accuracy` is the balanced accuracy: the mean of the recalls of gels and others.
        """
        is_gel = self.gel[self.truth]
        predicted_gel = self.probabilities[:, self.gel].sum(1) > 0.5
        right = self.probabilities.argmax(1) == self.truth
        gels, others = predicted_gel[is_gel].mean(), (~predicted_gel[~is_gel]).mean()
        figures = {
            "class_accuracy": right.mean(),
            "gel_accuracy": (gels + others) / 2,
            "gels_right": gels,
            "others_right": others,
        }
        return {name: round(float(value), 4) for name, value in figures.items()}

    def confusion(self) -> np.ndarray:
        """Count images by true class (rows) and predicted class (columns)."""
        n = len(self.classes)
        predicted = self.probabilities.argmax(1)
        return np.bincount(self.truth * n + predicted, minlength=n * n).reshape(n, n)


@cache
def _held_out(per_class: int) -> tuple[np.ndarray, list[np.ndarray]]:
    truth = np.repeat(np.arange(len(CLASSES)), per_class)
    images = [
        simulate(name, SEED, index, SIZE_PX) for name in CLASSES for index in range(per_class)
    ]
    return truth, images


def predict_held_out(
    path: str | Path, *, contrast: str = "none", per_class: int = PER_CLASS
) -> HeldOutPredictions:
    """Predict held-out simulated images with a file of weights, equally many of each class."""
    backbone, head, classes = load_class_model(path)
    truth, images = _held_out(per_class)
    backbone.preprocessing = replace(backbone.preprocessing, contrast=contrast)
    return HeldOutPredictions(truth, predict_images(backbone, head, images), classes)


def validate(path: str | Path, *, per_class: int = PER_CLASS) -> dict:
    """Compute the scores of a file, on images as they are and with their contrast stretched."""
    return {
        "images": per_class * len(CLASSES),
        "seed": SEED,
        "size_px": SIZE_PX,
        **{
            contrast: predict_held_out(path, contrast=contrast, per_class=per_class).figures()
            for contrast in CONTRASTS
        },
    }
