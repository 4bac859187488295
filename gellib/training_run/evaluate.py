"""Metrics of each split and the table of predictions, from the probabilities of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gellib.data import ImageSet
from gellib.data.folds import Folds
from gellib.data.imageset import CV, name_labels
from gellib.evaluation import (
    Task,
    Temperature,
    Thresholds,
    calibration_record,
    fit_temperature,
)
from gellib.evaluation.crossval import score_interval
from gellib.models.training import CrossValidation


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
    def scored_on(self) -> str:
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


def evaluate_run(
    images: ImageSet,
    probabilities: np.ndarray,
    *,
    seed: int = 0,
    crossed: CrossValidation | None = None,
) -> RunEvaluation:
    """Score the probabilities of all images of a set, in its order, against their labels.

    First they are calibrated, with a temperature chosen on the validation images; the most probable
    class stays. In a multi-label task, the thresholds are those that suit the validation
    images. The scores of validation and test images have `intervals`; those of the
    training images show nothing about other images, and have none.

    In a cross-validation, temperature and thresholds are chosen on the out-of-fold predictions of
    all images, which also stand for the validation images.

    Parameters
    ----------
    images
        The images, split.
    probabilities
        (n, C) of the final head.
    seed
        Seed of the intervals.
    crossed
        The cross-validation; None for a holdout.
    """
    task, classes, splits = images.task, list(images.classes), images.table["split"].to_numpy()
    truth, raw, repeats = images.targets(), probabilities, None
    tuned = splits == ("val" if crossed is None else CV)
    if crossed is None:
        temperature = fit_temperature(truth[tuned], raw[tuned])
        trained = probabilities = task.apply_temperature(raw, temperature.value)
    else:
        temperature = fit_temperature(truth[tuned], crossed.probabilities[:, tuned])
        trained = task.apply_temperature(raw, temperature.value)
        repeats = np.full_like(crossed.probabilities, np.nan)
        for own, given in zip(repeats, crossed.probabilities, strict=True):
            own[tuned] = task.apply_temperature(given[tuned], temperature.value)
        # Each image out of fold; those of a given test part by the final head.
        probabilities = np.where(tuned[:, None], repeats.mean(axis=0), trained)
        raw = np.where(tuned[:, None], crossed.probabilities.mean(axis=0), raw)
    thresholds = task.tune_thresholds(truth[tuned], probabilities[tuned])
    cut = None if thresholds is None else thresholds.values
    groups = images.table["group"].to_numpy()
    options: dict[str, Any] = {"positive": images.positive, "thresholds": thresholds}
    metrics = {}
    parts = {
        "train": (splits == "train" if crossed is None else tuned, trained),
        "val": (tuned, probabilities),
        "test": (splits == "test", probabilities),
    }
    for split, (rows, own) in parts.items():
        if not rows.any():
            continue
        given = truth[rows], own[rows], classes
        metrics[split] = task.evaluate(*given, **options)
        if split != "train":
            metrics[split] |= task.intervals(*given, **options, groups=groups[rows], seed=seed)
    if crossed is not None and repeats is not None:
        scores = _score_repeats(task, truth[tuned], repeats[:, tuned], cut, classes)
        # Behind the images there may be those that are only trained on.
        numbers, own = crossed.folds.numbers[:, : len(tuned)][:, tuned], metrics["val"]
        found = score_interval(scores, numbers, groups[tuned])
        # Of one head per image, as the final model is one, and as configurations are compared by;
        # the other metrics are of the mean probabilities.
        own["repeats"], own[task.headline] = scores.mean(axis=1).tolist(), float(scores.mean())
        own["intervals"][task.headline] = [found.low, found.high]
    predictions = pd.DataFrame(
        {
            "file": images.table["file"].to_numpy(),
            "split": splits,
            # Models are compared over groups, where images are not independent of each other.
            **({"group": groups} if (groups != "").any() else {}),
            "label": images.label_texts(),
            "predicted": name_labels(task.decide(probabilities, cut), classes),
            **{f"p_{name}": probabilities[:, i] for i, name in enumerate(classes)},
        }
    )
    return RunEvaluation(
        task,
        metrics,
        predictions,
        truth,
        probabilities,
        raw,
        temperature,
        thresholds,
        repeats,
        None if crossed is None else crossed.folds,
    )


def _score_repeats(
    task: Task, truth: np.ndarray, repeats: np.ndarray, cut: np.ndarray | None, classes: list[str]
) -> np.ndarray:
    """Score the prediction of each image in each repeat (R, N), whose mean is the headline metric.

    Parameters
    ----------
    task
        Whether images have one label or several.
    truth
        Targets of the N images.
    repeats
        (R, N, C) probabilities out of fold.
    cut
        Thresholds of the labels; None where there are none.
    classes
        Names of the C classes.
    """
    labels = name_labels(task.memberships(truth, len(classes)), classes)
    given = [name_labels(task.decide(own, cut), classes) for own in repeats]
    return np.array([list(map(task.score_prediction, labels, own)) for own in given])
