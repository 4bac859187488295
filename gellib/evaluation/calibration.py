"""Calibration: whether 90 % means right nine times in ten, and one temperature that corrects it.

A temperature T divides the logits (Guo et al. 2017): above 1 all predictions become less confident,
below 1 more; the most probable class stays. Logarithms of probabilities serve as logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gellib.evaluation.resampling import wilson
from gellib.evaluation.task import task_of_targets

MOST_BINS = 15
IMAGES_PER_BIN = 8
# Tried temperatures, evenly spaced in their logarithm.
_TRIED = np.geomspace(1 / 4, 10, 189)
# Predictions are called calibrated from this many images on. Of networks twice too confident (mean
# distance of confidence from accuracy 7.3 points), a temperature from 18 images left 5.9 points,
# from 50 4.4, from 100 2.9, from 400 1.6 (60 simulated sets each).
ENOUGH_IMAGES = 100
# A priori log T is normal around 0 with this deviation: a few images, all of them right, must not
# make every prediction almost certain.
_PRIOR = 0.25


@dataclass(frozen=True)
class Temperature:
    """A temperature, on how many images it was chosen, and why it is 1 where it could not be."""

    value: float = 1.0
    n: int = 0
    reason: str = ""

    @property
    def calibrates(self) -> bool:
        """Whether it was chosen on enough images for the probabilities to be called calibrated."""
        return self.n >= ENOUGH_IMAGES


def fit_temperature(y_true: np.ndarray, probabilities: np.ndarray) -> Temperature:
    """Find the temperature with the smallest loss on validation images, or out of fold.

    It stays near 1 where there are few images (see `_PRIOR`), and is 1 unless it lowers the loss of
    images left out of the fit, one after the other.

    Parameters
    ----------
    y_true
        (n,) class numbers, or (n, C) of 0 and 1 where an image has several labels.
    probabilities
        (n, C); or (R, n, C) of R repeats of a cross-validation. An image's loss is then the mean
        over its repeats: the temperature suits one head, not the mean of several.
    """
    n = len(y_true)
    if n < 2:
        return Temperature(1.0, n, f"{n} images are too few to choose a temperature")
    task = task_of_targets(y_true)
    repeats = np.reshape(probabilities, (-1, n, np.shape(probabilities)[-1]))

    def of_images(temperature: float) -> np.ndarray:
        each = (task.losses(y_true, task.apply_temperature(p, temperature)) for p in repeats)
        return np.mean(list(each), axis=0)

    losses = np.stack([of_images(temperature) for temperature in _TRIED], axis=1)
    penalty = np.log(_TRIED) ** 2 / (2 * _PRIOR**2)
    total = losses.sum(axis=0)
    best = int(np.argmin(total + penalty))
    without = np.argmin(total + penalty - losses, axis=1)
    as_is = int(np.argmin(np.abs(np.log(_TRIED))))
    left_out = losses[np.arange(n), without].sum()
    if left_out >= losses[:, as_is].sum() or best == as_is:
        return Temperature(1.0, n, "no temperature lowers the loss of images left out of its fit")
    return Temperature(float(_TRIED[best]), n)


def expected_calibration_error(y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean distance between confidence and accuracy of predictions, 0..1."""
    table = reliability(y_true, probabilities)
    share = table["n"] / table["n"].sum()
    return float((share * np.abs(table["confidence"] - table["right"])).sum())


def brier_score(y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the truth, 0..1.

    Half the sum over the classes, which for two is the square of either's error; of several labels
    an image, the mean over the labels.
    """
    return task_of_targets(y_true).brier(y_true, probabilities)


def calibration_scores(y_true: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Compute `ece`, `brier` and `loss` (mean negative log-likelihood, nats)."""
    task = task_of_targets(y_true)
    return {
        "ece": expected_calibration_error(y_true, probabilities),
        "brier": brier_score(y_true, probabilities),
        "loss": float(task.losses(y_true, np.asarray(probabilities)).mean()),
    }


def reliability(y_true: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """Bin predictions by confidence, equally many per bin: `confidence`, `right`, `n`.

    `low` and `high` are the 95 % interval of the share that is right. There are at most 15 bins,
    of `IMAGES_PER_BIN` or more. A prediction is the most probable class of an image; where an
    image has several labels, each label is one.
    """
    probabilities = np.asarray(probabilities, dtype=float)
    sure, right = task_of_targets(y_true).confidences(y_true, probabilities)
    order = np.argsort(sure, kind="stable")
    bins = np.array_split(order, max(1, min(MOST_BINS, len(order) // IMAGES_PER_BIN)))
    ends = np.array([wilson(right[rows].sum(), len(rows)) for rows in bins])
    return {
        "confidence": np.array([sure[rows].mean() for rows in bins]),
        "right": np.array([right[rows].mean() for rows in bins]),
        "low": ends[:, 0],
        "high": ends[:, 1],
        "n": np.array([len(rows) for rows in bins]),
    }


def calibration_record(
    y_true: np.ndarray, raw: np.ndarray, calibrated: np.ndarray, temperature: Temperature
) -> dict[str, Any]:
    """Collect the scores before and after, for a record: `ece`, `ece_calibrated` and so on.

    Parameters
    ----------
    y_true
        (n,) class numbers, or (n, C) of 0 and 1 with several labels per image.
    raw, calibrated
        (n, C) probabilities without and with the temperature.
    temperature
        The one that was fitted, with the reason where there is none.
    """
    before, after = (calibration_scores(y_true, p) for p in (raw, calibrated))
    return {
        "temperature": temperature.value,
        "n_val": temperature.n,
        "reason": temperature.reason,
        "n": len(y_true),
        **before,
        **{f"{name}_calibrated": value for name, value in after.items()},
    }
