"""Detection of images that are unlike the training images.

The score combines two distances to the training images. That of the backbone's features is the
part of their direction outside the few principal directions of the training images. That of image
statistics, to which networks are nearly blind, is Mahalanobis's, with the shrunk covariance of
Ledoit and Wolf (2004). The threshold is set so that a stated share of images like the training
images exceeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

RATE = 0.05  # share of images like the training images that are flagged nevertheless
MOST_IMAGES = 500
_DIRECTIONS = 8  # principal directions kept; chosen by hand, no benchmark set it
_FOLDS = 5
_FEWEST = 10
_PARTS = ("features", "statistics")
_Arrays = dict[str, np.ndarray]
_Fit = Callable[[np.ndarray], _Arrays]
_Distance = Callable[[_Arrays, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class OutOfDistribution:
    """Detector that scores images by their distance to the training images; above 1 is flagged.

    Attributes
    ----------
    features, statistics
        The arrays of the fitted distances.
    limits
        The two distances that have the score 1.
    rate
        Share of images like the training images that is flagged.
    n
        Number of images that set the limits: validation images and, if the backbone was not trained
        on them, training images that are left out in turn.
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
        """Return the tensors to store with the model."""
        return {
            f"{part}.{name}": torch.from_numpy(value.astype(np.float32))
            for part in _PARTS
            for name, value in getattr(self, part).items()
        }

    def metadata(self) -> dict[str, Any]:
        """Return the metadata to store with the tensors."""
        return {"limits": list(self.limits), "rate": self.rate, "n": self.n}

    @classmethod
    def load(cls, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> OutOfDistribution:
        """Rebuild a detector from its `tensors` and `metadata`."""
        parts: dict[str, _Arrays] = {part: {} for part in _PARTS}
        for key, value in tensors.items():
            part, name = key.split(".")
            parts[part][name] = value.numpy()
        first, second = metadata["limits"]
        return cls(
            parts["features"],
            parts["statistics"],
            (first, second),
            metadata["rate"],
            metadata["n"],
        )


def fit_out_of_distribution(
    features: np.ndarray,
    statistics: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    *,
    groups: Sequence[int] | np.ndarray | None = None,
    frozen: bool = True,
) -> OutOfDistribution | None:
    """Fit the distances to the training images, and set the threshold.

    Parameters
    ----------
    features, statistics
        (n, dim) and (n, N), of all images.
    train, val
        Rows of the training and of the validation images.
    groups
        (n,) group numbers: images of one group are left out together.
    frozen
        Whether the backbone has not been trained on these images, so that training images that are
        left out count for the threshold as well.

    Returns
    -------
    OutOfDistribution or None
        None if there are fewer than 10 images to fit, or to set the threshold.
    """
    train, val = np.asarray(train, dtype=int), np.asarray(val, dtype=int)
    groups = np.arange(len(features)) if groups is None else np.asarray(groups)
    fold = np.unique(groups[train], return_inverse=True)[1] % _FOLDS
    folds = range(_FOLDS) if frozen and fold.size and fold.max() == _FOLDS - 1 else ()
    n = len(val) + (len(train) if folds else 0)
    if min(n, len(train)) < _FEWEST:
        return None

    def fit_distance(x: np.ndarray, fit: _Fit, distance: _Distance) -> tuple[_Arrays, np.ndarray]:
        fitted = fit(x[train])
        distances = [distance(fitted, x[val])]
        for number in folds:
            out = fold == number
            distances.append(distance(fit(x[train[~out]]), x[train[out]]))
        return fitted, np.concatenate(distances)

    by_features, first = fit_distance(features, _directions, _outside)
    by_statistics, second = fit_distance(statistics, _covariance, _mahalanobis)
    limits = np.array([_limit(first), _limit(second)])
    # Each limit alone is exceeded by a share of RATE, either of them by more.
    limits = limits * _limit((np.stack([first, second], axis=1) / limits).max(axis=1))
    return OutOfDistribution(
        by_features, by_statistics, (float(limits[0]), float(limits[1])), RATE, n
    )


def _limit(scores: np.ndarray) -> float:
    """Score that a further image exceeds with a probability of RATE at most, or the largest."""
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
