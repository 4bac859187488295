"""How well a file of weights tells simulated images apart that it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from gellib.labsim.pretraining.files import load_class_model
from gellib.labsim.simulate import CLASSES, simulate
from gellib.models.backbones import CONTRASTS
from gellib.models.training import predict_images

# Training seeds are small numbers, so that no image of theirs is among these.
SEED = 1_000_003
SIZE_PX = 256
PER_CLASS = 24


@dataclass(frozen=True)
class Answers:
    """What a network says of held-out images: true classes (n,), probabilities (n, classes)."""

    truth: np.ndarray
    probabilities: np.ndarray
    classes: dict[str, bool]

    @property
    def gel(self) -> np.ndarray:
        """Which classes are gels, (classes,)."""
        return np.array(list(self.classes.values()))

    def figures(self) -> dict[str, float]:
        """Compute the accuracy over the classes, and over the question: a gel or not?

        Gels and others count alike in `gel_accuracy`, the mean of the shares that are right.
        """
        is_gel = self.gel[self.truth]
        said_gel = self.probabilities[:, self.gel].sum(1) > 0.5
        right = self.probabilities.argmax(1) == self.truth
        gels, others = said_gel[is_gel].mean(), (~said_gel[~is_gel]).mean()
        figures = {
            "class_accuracy": right.mean(),
            "gel_accuracy": (gels + others) / 2,
            "gels_right": gels,
            "others_right": others,
        }
        return {name: round(float(value), 4) for name, value in figures.items()}

    def confusion(self) -> np.ndarray:
        """Count true class (rows) by the class that is said (columns)."""
        n = len(self.classes)
        said = self.probabilities.argmax(1)
        return np.bincount(self.truth * n + said, minlength=n * n).reshape(n, n)


@cache
def _held_out(per_class: int) -> tuple[np.ndarray, list[np.ndarray]]:
    truth = np.repeat(np.arange(len(CLASSES)), per_class)
    images = [
        simulate(name, SEED, index, SIZE_PX) for name in CLASSES for index in range(per_class)
    ]
    return truth, images


def answers(path: str | Path, *, contrast: str = "none", per_class: int = PER_CLASS) -> Answers:
    """Ask the network of a file about held-out simulated images, as many of each class."""
    backbone, head, classes = load_class_model(path)
    truth, images = _held_out(per_class)
    backbone.preprocessing = replace(backbone.preprocessing, contrast=contrast)
    return Answers(truth, predict_images(backbone, head, images), classes)


def validate(path: str | Path, *, per_class: int = PER_CLASS) -> dict:
    """Compute the figures of a file, of images as they are and with their contrast stretched."""
    return {
        "images": per_class * len(CLASSES),
        "seed": SEED,
        "size_px": SIZE_PX,
        **{
            contrast: answers(path, contrast=contrast, per_class=per_class).figures()
            for contrast in CONTRASTS
        },
    }
