"""How far the predictions of a run can be trusted: uncertainty, and images unlike all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gellib.data import ImageSet
from gellib.data.imageset import CV
from gellib.evaluation import error_detection, group_numbers
from gellib.models.explain import (
    MOST_IMAGES,
    OutOfDistribution,
    Uncertainty,
    fit_out_of_distribution,
    uncertainty,
)
from gellib.models.features import FeatureStore
from gellib.models.training import TrainResult
from gellib.training_run.evaluate import RunEvaluation


@dataclass(frozen=True)
class RunUncertainty:
    """What is uncertain about the scored images, and the detector of unlike ones (or None).

    `samples_are` says whose disagreement the mutual information measures.
    """

    uncertainty: Uncertainty
    right: np.ndarray
    rows: np.ndarray
    detector: OutOfDistribution | None
    unlike: dict[str, Any]
    samples_are: str = "dropout samples"

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """The measures of uncertainty of the scored images, by name."""
        found = {"entropy": self.uncertainty.entropy}
        if self.uncertainty.mutual_information is not None:
            found["mutual_information"] = self.uncertainty.mutual_information
        return found

    def columns(self, n: int) -> pd.DataFrame:
        """Return one column per measure for the table of predictions; scored images have values."""
        table = pd.DataFrame(index=range(n))
        for name, values in self.measures.items():
            table[name] = pd.Series(values, index=self.rows)
        return table

    def record(self) -> dict[str, Any]:
        """What goes into the record: `uncertainty` and `out_of_distribution`."""
        found = {name: error_detection(v, self.right) for name, v in self.measures.items()}
        return {
            "uncertainty": {"samples": self.uncertainty.samples, "n": len(self.right), **found},
            "out_of_distribution": self.unlike,
        }


def measure_uncertainty(
    images: ImageSet,
    result: TrainResult,
    evaluation: RunEvaluation,
    features: np.ndarray,
    store: FeatureStore,
    *,
    seed: int,
) -> RunUncertainty:
    """Measure the uncertainty of the scored images, and describe the training images.

    Those are the test images. Without a test part, they are all images, and the heads that the
    repeats of the cross-validation predicted an image with stand for the samples of dropout.

    Parameters
    ----------
    images
        All images of the run.
    result
        The trained backbone and head.
    evaluation
        The predictions of the images.
    features
        Features of unaugmented views (n, d), in the order of the images.
    store
        Cache of features; it also has the images' statistics.
    seed
        Seed of the dropout masks.
    """
    rows, what = np.flatnonzero(evaluation.scored_rows), "dropout samples"
    if evaluation.scored == "test" or evaluation.repeats is None:
        measured = uncertainty(
            result.head, features[rows], temperature=evaluation.temperature.value, seed=seed
        )
    else:
        measured = _of_repeats(evaluation.repeats[:, rows], evaluation)
        what = "repeats"
    table = evaluation.predictions
    right = (table["label"] == table["predicted"]).to_numpy()[rows]
    detector, unlike = _unlike(images, result, evaluation, features, store)
    return RunUncertainty(measured, right, rows, detector, unlike, what)


def _of_repeats(repeats: np.ndarray, evaluation: RunEvaluation) -> Uncertainty:
    """Measure the uncertainty of images (R, n, C) that R heads predicted out of fold."""
    entropy = evaluation.task.entropy
    total = entropy(repeats.mean(axis=0))
    if len(repeats) == 1:
        return Uncertainty(total, None, 0)
    inner = np.mean([entropy(own) for own in repeats], axis=0)
    return Uncertainty(total, np.maximum(total - inner, 0), len(repeats))


def _unlike(
    images: ImageSet,
    result: TrainResult,
    evaluation: RunEvaluation,
    features: np.ndarray,
    store: FeatureStore,
) -> tuple[OutOfDistribution | None, dict[str, Any]]:
    # The images of a cross-validation are left out in turn by the detector itself.
    trained = "train" if evaluation.folds is None else CV
    splits = [_evenly(np.flatnonzero(evaluation.rows(split))) for split in (trained, "val", "test")]
    rows = np.concatenate(splits)
    ends = np.cumsum([len(split) for split in splits])
    train, val, test = np.split(np.arange(len(rows)), ends[:-1])
    statistics = store.statistics(images, rows.tolist(), result.backbone)
    groups = group_numbers(images.table["group"].to_numpy()[rows], len(rows))
    detector = fit_out_of_distribution(
        features[rows], statistics, train, val, groups=groups, frozen=result.backbone.frozen
    )
    if detector is None:
        return None, {"reason": "too few images to set a threshold by"}
    found = {"rate": detector.rate, "n": detector.n}
    if len(test):
        flagged = detector.score(features[rows[test]], statistics[test]) > 1
        found |= {"test_flagged": int(flagged.sum()), "n_test": len(test)}
    return detector, found


def _evenly(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= MOST_IMAGES:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_IMAGES).round().astype(int)]
