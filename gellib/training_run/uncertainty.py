"""How far the predictions of a run can be trusted: uncertainty, and images unlike all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gellib.data import ImageSet
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
from gellib.training_run.evaluate import SPLITS, RunEvaluation


@dataclass(frozen=True)
class RunUncertainty:
    """What is uncertain about the test images, and the detector of unlike ones (or None)."""

    uncertainty: Uncertainty
    right: np.ndarray
    rows: np.ndarray
    detector: OutOfDistribution | None
    unlike: dict[str, Any]

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """The measures of uncertainty of the test images, by name."""
        found = {"entropy": self.uncertainty.entropy}
        if self.uncertainty.mutual_information is not None:
            found["mutual_information"] = self.uncertainty.mutual_information
        return found

    def columns(self, n: int) -> pd.DataFrame:
        """Return one column per measure for the table of predictions; test images have values."""
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
    """Measure the uncertainty of the test images, and describe the training images.

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
    test = np.flatnonzero(evaluation.rows("test"))
    measured = uncertainty(
        result.head, features[test], temperature=evaluation.temperature.value, seed=seed
    )
    table = evaluation.predictions
    right = (table["label"] == table["predicted"]).to_numpy()[test]
    detector, unlike = _unlike(images, result, evaluation, features, store)
    return RunUncertainty(measured, right, test, detector, unlike)


def _unlike(
    images: ImageSet,
    result: TrainResult,
    evaluation: RunEvaluation,
    features: np.ndarray,
    store: FeatureStore,
) -> tuple[OutOfDistribution | None, dict[str, Any]]:
    splits = [_evenly(np.flatnonzero(evaluation.rows(split))) for split in SPLITS]
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
    flagged = detector.score(features[rows[test]], statistics[test]) > 1
    return detector, {
        "rate": detector.rate,
        "n": detector.n,
        "test_flagged": int(flagged.sum()),
        "n_test": len(test),
    }


def _evenly(rows: np.ndarray) -> np.ndarray:
    if len(rows) <= MOST_IMAGES:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_IMAGES).round().astype(int)]
