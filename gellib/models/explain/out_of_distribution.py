"""Detection of images that are unlike the training images of the class that they are given.

The score combines two distances to the training images of a class. That of the backbone's features
is the mean distance to the nearest three images, by the direction of their features. That of image
statistics, to which networks are nearly blind, is Mahalanobis's, with the shrunk covariance of
Ledoit and Wolf (2004). The limit of each class is conformal: the distance of each image to all
others but those of its group sets it, so that a stated share of further images of the class exceeds
it. A class with too few images is compared with all training images.

Of the distances that were compared (`tests/benchmarks/unlike_images.py`), this one flags the stated
share most exactly, and other images as often as any. Comparing with one class finds more than
comparing with all images, which may be as mixed as a class `not_gel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.covariance import LedoitWolf

from gellib.evaluation.conformal import conformal_limit, fewest_groups

RATE = 0.05  # share of images like the training images that are flagged nevertheless
MOST_REFERENCES = 500
ALL = "all"
NEAREST = 3
_FOLDS = 10
_Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Reference:
    """Some training images, and the limits of the two distances from them.

    `images` are their rows among those that the detector keeps; `n` is the number of independent
    images that set the limits.
    """

    images: np.ndarray
    statistics: _Arrays
    limits: tuple[float, float]
    n: int


@dataclass(frozen=True)
class OutOfDistribution:
    """Detector that scores images by their distance to the training images; above 1 is flagged.

    `features` (n, dim) are the directions of the training images. `references` has by class number
    those of the classes with enough images, and that of all images as `ALL`. `rate` is the share
    of images like the training images that is flagged.
    """

    features: np.ndarray
    references: dict[str, Reference]
    rate: float = RATE

    @property
    def n(self) -> int:
        """Number of independent images that the limits rest on."""
        return self.references[ALL].n

    def score(
        self, features: np.ndarray, statistics: np.ndarray, classes: np.ndarray | None = None
    ) -> np.ndarray:
        """Score images by their features (n, dim) and `view_statistics` (n, N): (n,).

        `classes` (n,) are the class numbers that the images are given; without them, images are
        compared with all training images.
        """
        names = np.full(len(features), ALL) if classes is None else np.asarray(classes).astype(str)
        scores = np.empty(len(features))
        for name in np.unique(names):
            rows = names == name
            reference = self.references.get(str(name), self.references[ALL])
            near = _nearest(self.features[reference.images], features[rows])
            parts = near, mahalanobis(reference.statistics, statistics[rows])
            limits = reference.limits
            scores[rows] = np.maximum(*(p / limit for p, limit in zip(parts, limits, strict=True)))
        return scores

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the tensors to store with the model."""
        found = {"images": torch.from_numpy(self.features.astype(np.float16))}
        for key, reference in self.references.items():
            found[f"{key}.images"] = torch.from_numpy(reference.images.astype(np.int32))
            for name, value in reference.statistics.items():
                found[f"{key}.{name}"] = torch.from_numpy(value.astype(np.float32))
        return found

    def metadata(self) -> dict[str, Any]:
        """Return the metadata to store with the tensors."""
        references = {k: {"limits": list(r.limits), "n": r.n} for k, r in self.references.items()}
        return {"references": references, "rate": self.rate}

    @classmethod
    def load(cls, tensors: dict[str, torch.Tensor], metadata: dict[str, Any]) -> OutOfDistribution:
        """Rebuild a detector from its `tensors` and `metadata`."""
        arrays = {name: value.numpy() for name, value in tensors.items()}
        references = {
            key: Reference(
                arrays[f"{key}.images"],
                {name: arrays[f"{key}.{name}"] for name in ("centre", "scale", "precision")},
                tuple(facts["limits"]),
                facts["n"],
            )
            for key, facts in metadata["references"].items()
        }
        return cls(arrays["images"].astype(np.float64), references, metadata["rate"])


def fit_out_of_distribution(
    features: np.ndarray,
    statistics: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    *,
    labels: Sequence[int] | np.ndarray | None = None,
    groups: Sequence[int] | np.ndarray | None = None,
    frozen: bool = True,
) -> OutOfDistribution | None:
    """Fit the distances to the training images, and set the limits.

    Parameters
    ----------
    features, statistics
        (n, dim) and (n, N), of all images.
    train, val
        Rows of the training and of the validation images. Of a backbone that has not been trained
        on them, both are described, and each sets the limit by its distance to the others.
    labels
        (n,) class numbers; None, where an image may have several labels: no class has a limit of
        its own.
    groups
        (n,) group numbers: images of one group are left out together, and count as one.
    frozen
        Whether the backbone has not been trained on these images; if it has, the validation images
        alone set the limits.

    Returns
    -------
    OutOfDistribution or None
        None if there are fewer than 19 independent images to set a limit by.
    """
    train, val = np.asarray(train, dtype=int), np.asarray(val, dtype=int)
    groups = np.arange(len(features)) if groups is None else np.asarray(groups)
    if frozen:
        train, val = np.concatenate([train, val]), np.empty(0, dtype=int)
    # As they are stored, so that the scores are the same before and after.
    directions = unit(features).astype(np.float16).astype(np.float64)
    given = directions, statistics, groups
    everything = _reference(*given, train, val)
    if everything is None:
        return None
    references = {ALL: everything}
    if labels is not None:
        labels = np.asarray(labels)
        for number in np.unique(labels[train]):
            of_class = [rows[labels[rows] == number] for rows in (train, val)]
            if (found := _reference(*given, *of_class)) is not None:
                references[str(number)] = found
    place = np.empty(len(features), dtype=int)
    place[train] = np.arange(len(train))
    return OutOfDistribution(
        directions[train],
        {key: replace(found, images=place[found.images]) for key, found in references.items()},
    )


def _reference(
    directions: np.ndarray,
    statistics: np.ndarray,
    groups: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
) -> Reference | None:
    held = val if len(val) else train
    units = np.unique(groups[train])
    enough = fewest_groups(RATE)
    if len(units) < enough or len(np.unique(groups[held])) < enough:
        return None
    fitted = _covariance(statistics[train])
    if len(val):
        near = _nearest(directions[train], directions[val])
        tone = mahalanobis(fitted, statistics[val])
    else:
        near = _nearest(directions[train], directions[train], groups[train])
        tone = np.empty(len(train))
        fold = np.searchsorted(units, groups[train]) % _FOLDS
        for number in range(_FOLDS):
            out = fold == number
            left = _covariance(statistics[train[~out]])
            tone[out] = mahalanobis(left, statistics[train[out]])
    limits = np.array([_limit(part, groups[held])[0] for part in (near, tone)])
    # Each limit alone is exceeded by a share of RATE, either of them by more.
    either, n = _limit((np.stack([near, tone], axis=1) / limits).max(axis=1), groups[held])
    limits = limits * either
    return Reference(train, fitted, (float(limits[0]), float(limits[1])), n)


def _limit(distances: np.ndarray, groups: np.ndarray) -> tuple[float, int]:
    limit, n = conformal_limit(distances, groups, RATE)
    return max(limit, 1e-6), n


def unit(features: np.ndarray) -> np.ndarray:
    """Divide features (n, dim) by their lengths."""
    x = np.asarray(features, dtype=np.float64)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def _nearest(
    known: np.ndarray, features: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Mean distance of images to the nearest among the known; with groups, to those of others."""
    x = unit(features)
    squares = (known**2).sum(axis=1) + (x**2).sum(axis=1)[:, None] - 2 * x @ known.T
    far = np.sqrt(np.maximum(squares, 0))
    if groups is not None:
        far[groups[:, None] == groups] = np.inf
    return np.partition(far, NEAREST - 1, axis=1)[:, :NEAREST].mean(axis=1)


def _covariance(statistics: np.ndarray) -> _Arrays:
    centre, scale = statistics.mean(axis=0), statistics.std(axis=0) + 1e-6
    fitted = LedoitWolf(assume_centered=True).fit((statistics - centre) / scale)
    return {"centre": centre, "scale": scale, "precision": fitted.precision_}


def mahalanobis(fitted: _Arrays, statistics: np.ndarray) -> np.ndarray:
    """Mahalanobis's distance of image statistics (n, N), by `centre`, `scale`, `precision`."""
    away = (np.asarray(statistics, dtype=np.float64) - fitted["centre"]) / fitted["scale"]
    return np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", away, fitted["precision"], away), 0))
