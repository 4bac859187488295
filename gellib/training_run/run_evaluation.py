"""The metrics of a run and its table of predictions: `RunEvaluation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gellib.data import ImageSet
from gellib.data.folds import Folds
from gellib.data.imageset import CV, name_labels
from gellib.evaluation import Task, Temperature, Thresholds, calibration_record


@dataclass(frozen=True)
class RunEvaluation:
    """The metrics of each split, and the table of predictions, one row per image.

    Attributes
    ----------
    task
        Whether images have one label or several.
    metrics
        By split, then by name. In a cross-validation `val` is of the out-of-fold predictions of all
        images: the headline metric is the mean over its `repeats`, the others are of each image's
        mean probabilities. `test` is there only where the data set gives a test part.
    predictions
        The table.
    truth
        Class numbers (n,), or 0 and 1 (n, C) in a multi-label task; only then there are
        `thresholds`.
    probabilities
        (n, C) calibrated by `temperature`; in a cross-validation out of fold, averaged over the
        repeats.
    raw
        The same as the head gives them.
    temperature, thresholds
        Chosen on the validation images, or on the out-of-fold predictions.
    repeats
        (R, n, C) calibrated out-of-fold probabilities of each repeat; None for a holdout.
    folds
        The folds of a cross-validation; None for a holdout.
    """

    task: Task
    metrics: dict[str, dict[str, Any]]
    predictions: pd.DataFrame
    truth: np.ndarray
    probabilities: np.ndarray
    raw: np.ndarray
    temperature: Temperature
    thresholds: Thresholds | None = None
    repeats: np.ndarray | None = None
    folds: Folds | None = None

    def rows(self, split: str) -> np.ndarray:
        """Return (n,) booleans: which images are in a split."""
        return (self.predictions["split"] == split).to_numpy()

    @property
    def scored(self) -> str:
        """The split that says how good the run is: `test`; without one `cv`, out of fold."""
        return "test" if "test" in self.metrics else CV

    @property
    def scored_rows(self) -> np.ndarray:
        """(n,) booleans: which images say how good the run is."""
        return self.rows(self.scored)

    @property
    def scores(self) -> dict[str, Any]:
        """The metrics of these images."""
        return self.metrics["test" if self.scored == "test" else "val"]

    @property
    def scored_images(self) -> str:
        """These images in words, for titles."""
        return "test images" if self.scored == "test" else f"images {self.out_of_fold}"

    @property
    def out_of_fold(self) -> str:
        """The cross-validation in words; empty for a holdout."""
        if self.folds is None:
            return ""
        repeats = f" x {self.folds.repeats} repeats" * (self.folds.repeats > 1)
        return f"out of fold, {self.folds.count} folds{repeats}"

    def decided(self) -> np.ndarray:
        """Return booleans (n, C): which classes each image was given."""
        return self.task.decide(self.probabilities, self._cut)

    def not_tuned(self) -> list[str]:
        """Name the classes that had too few images for a threshold of their own."""
        if self.thresholds is None:
            return []
        classes = self.scores["per_class"]
        return [name for name, done in zip(classes, self.thresholds.tuned, strict=True) if not done]

    def calibration(self) -> dict[str, Any]:
        """Return what the temperature does to these images, as `calibration_record` does."""
        own = self.scored_rows
        return calibration_record(
            self.truth[own], self.raw[own], self.probabilities[own], self.temperature
        )

    def out_of_fold_table(self, images: ImageSet) -> pd.DataFrame:
        """Return one row per image and repeat of a cross-validation; empty for a holdout."""
        if self.repeats is None or self.folds is None:
            return pd.DataFrame()
        own, parts = self.folds.rows, []
        known = self.predictions.iloc[own]
        for repeat, probabilities in enumerate(self.repeats[:, own]):
            given = name_labels(self.task.decide(probabilities, self._cut), images.classes)
            columns = {
                "file": known["file"],
                "group": images.table["group"].iloc[own],
                "repeat": repeat,
                "fold": self.folds.numbers[repeat, own],
                "label": known["label"],
                "predicted": given,
                **{f"p_{name}": probabilities[:, i] for i, name in enumerate(images.classes)},
            }
            parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)

    @property
    def _cut(self) -> np.ndarray | None:
        return None if self.thresholds is None else self.thresholds.values
