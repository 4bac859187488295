"""Metrics of each split and the table of predictions, from the probabilities of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gellib.data import ImageSet
from gellib.data.imageset import name_labels
from gellib.evaluation import (
    Task,
    Temperature,
    Thresholds,
    calibration_record,
    fit_temperature,
)

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class RunEvaluation:
    """The metrics of each split, and the table of predictions, one row per image.

    `truth` holds class numbers (n,), or 0 and 1 (n, C) in a multi-label task; only
    then there are `thresholds`. `probabilities` are calibrated by `temperature`; `raw` are those
    that the head gives.
    """

    task: Task
    metrics: dict[str, dict[str, Any]]
    predictions: pd.DataFrame
    truth: np.ndarray
    probabilities: np.ndarray
    raw: np.ndarray
    temperature: Temperature
    thresholds: Thresholds | None = None

    def rows(self, split: str) -> np.ndarray:
        """Return (n,) booleans: which images are in a split."""
        return (self.predictions["split"] == split).to_numpy()

    def decided(self) -> np.ndarray:
        """Return booleans (n, C): which classes each image was given."""
        cut = None if self.thresholds is None else self.thresholds.values
        return self.task.decide(self.probabilities, cut)

    def not_tuned(self) -> list[str]:
        """Name the classes that had too few validation images for a threshold of their own."""
        if self.thresholds is None:
            return []
        classes = self.metrics["test"]["per_class"]
        return [name for name, done in zip(classes, self.thresholds.tuned, strict=True) if not done]

    def calibration(self) -> dict[str, Any]:
        """Return what the temperature does to the test images, as `calibration_record` does."""
        test = self.rows("test")
        return calibration_record(
            self.truth[test], self.raw[test], self.probabilities[test], self.temperature
        )


def evaluate_run(images: ImageSet, probabilities: np.ndarray, *, seed: int = 0) -> RunEvaluation:
    """Score the probabilities of all images of a set, in its order, against their labels.

    First they are calibrated, with a temperature chosen on the validation images; the most probable
    class stays. In a multi-label task, the thresholds are those that suit the validation
    images. The scores of validation and test images have `intervals`; those of the
    training images show nothing about other images, and have none.
    """
    task, classes, splits = images.task, list(images.classes), images.table["split"].to_numpy()
    truth, val, raw = images.targets(), splits == "val", probabilities
    temperature = fit_temperature(truth[val], raw[val])
    probabilities = task.apply_temperature(raw, temperature.value)
    thresholds = task.tune_thresholds(truth[val], probabilities[val])
    cut = None if thresholds is None else thresholds.values
    metrics = {}
    for split in SPLITS:
        rows = splits == split
        if rows.any():
            given = truth[rows], probabilities[rows], classes
            options: dict[str, Any] = {"positive": images.positive, "thresholds": thresholds}
            metrics[split] = task.evaluate(*given, **options)
            if split != "train":
                groups = images.table["group"].to_numpy()[rows]
                metrics[split] |= task.intervals(*given, **options, groups=groups, seed=seed)
    groups = images.table["group"].to_numpy()
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
        task, metrics, predictions, truth, probabilities, raw, temperature, thresholds
    )


def metrics_table(metrics: dict[str, dict[str, Any]], task: Task) -> pd.DataFrame:
    """Show the metrics of each split with the number of images, and 95 % intervals in brackets.

    Shares are in percent. In a multi-label task, the last row is what a threshold of 0.5
    gives.
    """
    rows = {split: _shown(values, task) for split, values in metrics.items()}
    baseline = metrics.get("test", {}).get("baseline")
    if baseline:
        # What does not depend on a threshold is the same.
        known = {name: text for name, text in _shown(baseline, task).items() if text != "-"}
        rows["test, thresholds 0.5"] = rows["test"] | known
    return pd.DataFrame(rows).T


def _shown(values: dict[str, Any], task: Task) -> dict[str, str]:
    columns = {metric.name: (metric.heading, metric.share) for metric in task.metrics()}
    if values.get("positive"):
        for name in ("sensitivity", "specificity"):
            columns[name] = f"{name} ({values['positive']})", True
    result = {"images": str(values["n"])} if "n" in values else {}
    for name, (heading, share) in columns.items():
        value, interval = values.get(name), values.get("intervals", {}).get(name)
        result[heading] = "-" if value is None else f"{value:.1%}" if share else f"{value:.3f}"
        if value is not None and interval:
            low, high = (f"{100 * x:.0f}" if share else f"{x:.2f}" for x in interval)
            result[heading] += f" [{low}, {high}]"
    return result
