"""Metrics of each split and the table of predictions, from the probabilities of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gellib.base.text import join_labels
from gellib.data import ImageSet
from gellib.evaluation import (
    Temperature,
    Thresholds,
    apply_temperature,
    calibration_record,
    class_intervals,
    evaluate,
    evaluate_multilabel,
    fit_temperature,
    intervals,
    multi_hot,
    multilabel_intervals,
    tune_thresholds,
)
from gellib.evaluation.registry import all_metrics

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class RunEvaluation:
    """The metrics of each split, and the table of predictions, one row per image.

    `truth` holds class numbers (n,), or 0 and 1 (n, C) where an image has several labels; only
    then there are `thresholds`. `probabilities` are calibrated by `temperature`; `raw` are those
    that the head gives.
    """

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

    def not_tuned(self) -> list[str]:
        """Name the classes that had too few validation images for a threshold of their own."""
        if self.thresholds is None:
            return []
        classes = self.metrics["test"]["per_class"]
        return [name for name, done in zip(classes, self.thresholds.tuned, strict=True) if not done]

    def calibration(self) -> dict[str, Any]:
        """Say what the temperature does to the test images; what `calibration_record` gives."""
        test = self.rows("test")
        return calibration_record(
            self.truth[test], self.raw[test], self.probabilities[test], self.temperature
        )


def evaluate_run(images: ImageSet, probabilities: np.ndarray, *, seed: int = 0) -> RunEvaluation:
    """Score the probabilities of all images of a set, in its order, against their labels.

    First they are calibrated, with a temperature chosen on the validation images; the most probable
    class stays. Where an image has several labels, the thresholds are those that suit the
    validation images. The scores of validation and test images have `intervals`; those of the
    training images say nothing of other images, and have none.
    """
    classes, splits = list(images.classes), images.table["split"].to_numpy()
    names = np.array(classes, dtype=object)
    thresholds = None
    several, val, raw = images.task == "multilabel", splits == "val", probabilities
    if several:
        truth = multi_hot(images.table["label"].tolist(), len(classes))
    else:
        truth = images.table["label"].to_numpy(dtype=int)
    temperature = fit_temperature(truth[val], raw[val])
    probabilities = apply_temperature(raw, temperature.value, several=several)
    if several:
        thresholds = tune_thresholds(truth[val], probabilities[val])
        given = probabilities >= thresholds.values
        label, predicted = ([join_labels(names[row]) for row in of] for of in (truth == 1, given))
    else:
        label, predicted = names[truth], names[probabilities.argmax(axis=1)]
    metrics = {}
    for split in SPLITS:
        rows = splits == split
        if rows.any():
            pair = truth[rows], probabilities[rows]
            metrics[split] = (
                evaluate(*pair, classes, positive=images.positive)
                if thresholds is None
                else evaluate_multilabel(*pair, classes, thresholds.values.tolist())
            )
            if split != "train":
                options = {"groups": images.table["group"].to_numpy()[rows], "seed": seed}
                metrics[split] |= _intervals(*pair, images, thresholds, options)
    groups = images.table["group"].to_numpy()
    predictions = pd.DataFrame(
        {
            "file": images.table["file"].to_numpy(),
            "split": splits,
            # Models are compared over groups, where images are not independent of each other.
            **({"group": groups} if (groups != "").any() else {}),
            "label": label,
            "predicted": predicted,
            **{f"p_{name}": probabilities[:, i] for i, name in enumerate(classes)},
        }
    )
    return RunEvaluation(metrics, predictions, truth, probabilities, raw, temperature, thresholds)


def _intervals(
    truth: np.ndarray,
    probabilities: np.ndarray,
    images: ImageSet,
    thresholds: Thresholds | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    if thresholds is not None:
        cut = thresholds.values
        return {"intervals": multilabel_intervals(truth, probabilities, cut, **options)}
    pair = truth, probabilities, list(images.classes)
    return {
        "intervals": intervals(*pair, positive=images.positive, **options),
        "class_intervals": class_intervals(*pair, **options),
    }


def metrics_table(metrics: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Show the metrics of each split with the number of images, and 95 % intervals in brackets.

    Shares are in percent. Where an image has several labels, the last row is what a threshold of
    0.5 gives.
    """
    rows = {split: _shown(values) for split, values in metrics.items()}
    baseline = metrics.get("test", {}).get("baseline")
    if baseline:
        # What does not depend on a threshold is the same.
        known = {name: text for name, text in _shown(baseline).items() if text != "-"}
        rows["test, thresholds 0.5"] = rows["test"] | known
    return pd.DataFrame(rows).T


def _shown(values: dict[str, Any]) -> dict[str, str]:
    shares = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "f1"}
    plain = {}
    if "hamming_loss" in values:
        shares = {
            "accuracy": "all labels right",
            "precision": "precision",
            "recall": "recall",
            "f1": "f1 (macro)",
            "f1_micro": "f1 (micro)",
            "f1_samples": "f1 (per image)",
            "mean_average_precision": "mean average precision",
        }
        plain["hamming_loss"] = "Hamming loss"
    shares["roc_auc"] = "ROC AUC"
    if values.get("positive"):
        for name in ("sensitivity", "specificity"):
            shares[name] = f"{name} ({values['positive']})"
    if "hamming_loss" not in values:
        for metric in all_metrics("singlelabel"):
            if metric.name in values and metric.name not in shares:
                (shares if metric.share else plain)[metric.name] = metric.title
    result = {"images": str(values["n"])} if "n" in values else {}
    for wanted, form in ((shares, ".1%"), (plain, ".3f")):
        for name, heading in wanted.items():
            value, interval = values.get(name), values.get("intervals", {}).get(name)
            result[heading] = "-" if value is None else f"{value:{form}}"
            if value is not None and interval:
                result[heading] += " [{}, {}]".format(*(_number(x, form) for x in interval))
    return result


def _number(value: float, form: str) -> str:
    return f"{100 * value:.0f}" if form.endswith("%") else f"{value:.2f}"
