"""Whether an image looks like nothing that a model was trained on.

Two distances to the training images. Of the network's features: what is left of their direction
outside the few directions in which training images differ. Of the picture's statistics, for which
networks are nearly blind: Mahalanobis's, with a covariance shrunk by Ledoit and Wolf (2004). The
threshold is that which a stated share of images like the training images passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

RATE = 0.05  # share of images like those trained on that are called unlike them all the same
MOST_IMAGES = 500
_DIRECTIONS = 8
_FOLDS = 5
_FEWEST = 10
_PARTS = ("features", "statistics")
_Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class OutOfDistribution:
    """Scores images by how far they are from the training images; above 1 is too far.

    `rate` is the share of images like the training images that is above 1, as set on `n` of them:
    validation images and, of a network that was not trained on them, training images left out in
    turn. `limits` are the distances that count as 1.
    """

    features: _Arrays
    statistics: _Arrays
    limits: tuple[float, float]
    rate: float
    n: int

    def score(self, features: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        """Score images by their features (n, dim) and `view_statistics` (n, N): (n,)."""
        parts = _outside(self.features, features), _mahalanobis(self.statistics, statistics)
        return np.maximum(*(part / limit for part, limit in zip(parts, self.limits, strict=True)))

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is to be stored with the model."""
        return {
            f"{part}.{name}": torch.from_numpy(value.astype(np.float32))
            for part in _PARTS
            for name, value in getattr(self, part).items()
        }

    def metadata(self) -> dict[str, Any]:
        """What goes with the tensors."""
        return {"limits": list(self.limits), "rate": self.rate, "n": self.n}

    @classmethod
    def load(cls, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> OutOfDistribution:
        """Put together again what `tensors` and `metadata` gave."""
        parts: dict[str, _Arrays] = {part: {} for part in _PARTS}
        for key, value in tensors.items():
            part, name = key.split(".")
            parts[part][name] = value.numpy()
        return cls(**parts, **(metadata | {"limits": tuple(metadata["limits"])}))


def fit_out_of_distribution(
    features: np.ndarray,
    statistics: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    *,
    groups: Sequence[int] | np.ndarray | None = None,
    frozen: bool = True,
) -> OutOfDistribution | None:
    """Describe the training images, and set the threshold.

    Parameters
    ----------
    features, statistics
        (n, dim) and (n, N) of all images.
    train, val
        Which of them, as row numbers.
    groups
        (n,) numbers: images of one group are left out together.
    frozen
        Whether the network has not been trained on these images, so that training images that are
        left out count for the threshold like others.

    Returns
    -------
    OutOfDistribution or None
        None where fewer than 10 images are there to describe, or to set the threshold by.
    """
    train, val = np.asarray(train, dtype=int), np.asarray(val, dtype=int)
    groups = np.arange(len(features)) if groups is None else np.asarray(groups)
    fold = np.unique(groups[train], return_inverse=True)[1] % _FOLDS
    folds = range(_FOLDS) if frozen and fold.size and fold.max() == _FOLDS - 1 else ()
    n = len(val) + (len(train) if folds else 0)
    if min(n, len(train)) < _FEWEST:
        return None
    fitted, scores = [], []
    for x, fit, distance in (
        (features, _directions, _outside),
        (statistics, _covariance, _mahalanobis),
    ):
        fitted.append(fit(x[train]))
        parts = [distance(fitted[-1], x[val])]
        for number in folds:
            out = fold == number
            parts.append(distance(fit(x[train[~out]]), x[train[out]]))
        scores.append(np.concatenate(parts))
    limits = np.array([_limit(values) for values in scores])
    # Each limit alone lets RATE pass, both together would let more.
    limits = limits * _limit((np.stack(scores, axis=1) / limits).max(axis=1))
    return OutOfDistribution(*fitted, tuple(limits.tolist()), RATE, n)


def _limit(scores: np.ndarray) -> float:
    """Score that a further image passes with the probability RATE at most, or the largest."""
    place = int(np.ceil((len(scores) + 1) * (1 - RATE)))
    return max(float(np.sort(scores)[min(place, len(scores)) - 1]), 1e-6)


def _unit(features: np.ndarray) -> np.ndarray:
    x = np.asarray(features, dtype=np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _directions(features: np.ndarray) -> _Arrays:
    x = _unit(features)
    centre = x.mean(axis=0)
    vectors = np.linalg.svd(x - centre, full_matrices=False)[2]
    return {"centre": centre, "directions": vectors[: min(_DIRECTIONS, len(x) // 2)]}


def _outside(fitted: _Arrays, features: np.ndarray) -> np.ndarray:
    away = _unit(features) - fitted["centre"]
    return np.linalg.norm(away - away @ fitted["directions"].T @ fitted["directions"], axis=1)


def _covariance(statistics: np.ndarray) -> _Arrays:
    centre, scale = statistics.mean(axis=0), statistics.std(axis=0) + 1e-6
    fitted = LedoitWolf(assume_centered=True).fit((statistics - centre) / scale)
    return {"centre": centre, "scale": scale, "precision": fitted.precision_}


def _mahalanobis(fitted: _Arrays, statistics: np.ndarray) -> np.ndarray:
    away = (np.asarray(statistics, dtype=np.float64) - fitted["centre"]) / fitted["scale"]
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", away, fitted["precision"], away), 0))
