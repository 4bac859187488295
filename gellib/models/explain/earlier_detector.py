"""The detector of unlike images in model files of earlier versions, which knows no classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from gellib.models.explain.out_of_distribution import OutOfDistribution, mahalanobis, unit


@dataclass(frozen=True)
class EarlierDetector:
    """Scores images as the version did that trained the model; above 1 is flagged.

    The distance of features is that from the plane of the principal directions of all images.
    """

    arrays: dict[str, np.ndarray]
    limits: tuple[float, float]

    def score(
        self, features: np.ndarray, statistics: np.ndarray, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Score images by their features (n, dim) and `view_statistics` (n, N): (n,)."""
        away = unit(features) - self.arrays["features.centre"]
        directions = self.arrays["features.directions"]
        off = np.linalg.norm(away - away @ directions.T @ directions, axis=1)
        names = ("centre", "scale", "precision")
        tone = mahalanobis({name: self.arrays[f"statistics.{name}"] for name in names}, statistics)
        return np.maximum(off / self.limits[0], tone / self.limits[1])


def load_detector(
    tensors: dict[str, torch.Tensor], metadata: dict[str, Any]
) -> OutOfDistribution | EarlierDetector:
    """Rebuild the detector of a model file, whichever version wrote it."""
    if "references" in metadata:
        return OutOfDistribution.load(tensors, metadata)
    arrays = {name: value.numpy() for name, value in tensors.items()}
    first, second = metadata["limits"]
    return EarlierDetector(arrays, (first, second))
