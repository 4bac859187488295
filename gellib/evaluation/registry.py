"""The metrics of a run: an entry here is in the record, `results.csv`, tables and figures.

To add one, call `register(Metric(...))` below with the function that computes it from predicted
classes: no other code has to change. CONTRIBUTING.md says what one that needs probabilities takes,
and names the page and the test. What it is computed from
depends on the task: confusion matrices where an image has one label; counts of labels, or the
labels of each image, where it has several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gellib.evaluation.metric_functions import (
    accuracy,
    balanced_accuracy,
    cohen_kappa,
    macro,
    matthews_correlation,
    mean_over_classes,
    micro,
    per_image,
)
from gellib.evaluation.resampling import Interval, wilson

TaskName = Literal["single_label", "multilabel"]


@dataclass(frozen=True)
class Metric:
    """A score of predictions against the truth.

    Without a function, the evaluation of the task computes it, and its interval, by itself.

    Parameters
    ----------
    name
        Its key in records and its column in `results.csv`.
    heading
        What tables call it.
    title
        What the head of a figure calls it.
    task
        Whether it is of images with one label or with several.
    share
        Whether it lies in 0..1 and is written in percent; else it is a number of at most 1.
    higher_is_better
        Which way it is better.
    of_tables
        One label: from confusion matrices (..., C, C), rows true classes, to scores (...), NaN
        where there is none.
    of_counts
        Several labels: from how often each label is predicted rightly, predicted, and true,
        (..., 3, C), to scores (...).
    of_images
        Several labels: from the true labels and the predicted ones, booleans (n, C), to a score of
        each image (n,); the metric is the mean.
    interval
        From the score and the number of independent images to the 95 % interval. None: by
        resampling what the score is computed from.
    shown
        Whether it has a column in the summary's table, and a figure.
    """

    name: str
    heading: str
    title: str
    task: TaskName = "single_label"
    share: bool = True
    higher_is_better: bool = True
    of_tables: Callable[[np.ndarray], np.ndarray] | None = None
    of_counts: Callable[[np.ndarray], np.ndarray] | None = None
    of_images: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    interval: Callable[[float, float], Interval] | None = None
    shown: bool = True

    def text(self, value: float, digits: int = 1) -> str:
        """Write a value: `95.5 %`, or `0.91` where it is no share."""
        return f"{100 * value:.{digits}f} %" if self.share else f"{value:.{digits + 1}f}"


_METRICS: dict[tuple[TaskName, str], Metric] = {}


def register(metric: Metric) -> Metric:
    """Make a metric known to records, tables and figures.

    Raises
    ------
    ValueError
        When there is one of that name for that task.
    """
    key = metric.task, metric.name
    if key in _METRICS:
        raise ValueError(f"metric {metric.name!r} is registered already for {metric.task}")
    _METRICS[key] = metric
    return metric


def all_metrics(task: TaskName | None = None) -> Iterator[Metric]:
    """Go through the metrics of a task, or of both, in the order of tables."""
    return (m for m in list(_METRICS.values()) if task is None or m.task == task)


def metric_names() -> list[str]:
    """Name all metrics once, those of one label first."""
    return list(dict.fromkeys(metric.name for metric in all_metrics()))


def find_metric(name: str, task: TaskName | None = None) -> Metric:
    """Return a metric by name; without a task, one that both have in the words of the first.

    Raises
    ------
    KeyError
        When there is none.
    """
    for metric in all_metrics(task):
        if metric.name == name:
            return metric
    raise KeyError(name)


def table_metrics(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the metrics that follow from confusion matrices (..., C, C), by name."""
    # Products of counts overflow whole numbers from some ten thousand images on, without a word.
    tables = np.asarray(tables, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            metric.name: np.asarray(metric.of_tables(tables), dtype=float)
            for metric in all_metrics("single_label")
            if metric.of_tables is not None
        }


def label_metrics(true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Compute the metrics that follow from the labels of images, booleans (n, C), by name."""
    counts = np.stack([(true & predicted).sum(axis=0), predicted.sum(axis=0), true.sum(axis=0)])
    found = {}
    for metric in all_metrics("multilabel"):
        if metric.of_counts is not None:
            found[metric.name] = float(metric.of_counts(counts.astype(float)))
        elif metric.of_images is not None:
            found[metric.name] = float(np.mean(metric.of_images(true, predicted)))
    return found


def _wilson(share: float, n: float) -> Interval:
    return list(wilson(share * n, n))


for _metric in (
    Metric("accuracy", "accuracy", "Accuracy", of_tables=accuracy, interval=_wilson),
    Metric(
        "precision",
        "precision",
        "Precision (mean over the classes)",
        of_tables=mean_over_classes(0),
    ),
    Metric("recall", "recall", "Recall (mean over the classes)", of_tables=mean_over_classes(1)),
    Metric(
        "f1", "macro F1", "F1 (mean over the classes)", of_tables=mean_over_classes(2), shown=False
    ),
    Metric("roc_auc", "ROC AUC", "Area under the ROC curve"),
    Metric("balanced_accuracy", "balanced acc.", "Balanced accuracy", of_tables=balanced_accuracy),
    Metric("kappa", "kappa", "Cohen's kappa", share=False, of_tables=cohen_kappa),
    Metric("mcc", "MCC", "Matthews correlation", share=False, of_tables=matthews_correlation),
):
    register(_metric)
for _metric in (
    Metric("f1_samples", "F1 per image", "F1 per image", of_images=per_image(2)),
    Metric("f1_micro", "micro F1", "F1 of all labels together", of_counts=micro(2)),
    Metric("f1", "macro F1", "F1 (mean over the classes)", of_counts=macro(2)),
    Metric("mean_average_precision", "mean AP", "Average precision (mean over the classes)"),
    Metric(
        "hamming_loss",
        "Hamming loss",
        "Hamming loss (share of wrong labels)",
        higher_is_better=False,
        of_images=lambda true, predicted: (true != predicted).mean(axis=1),
    ),
    Metric(
        "accuracy",
        "all labels right",
        "Images with all labels right",
        of_images=lambda true, predicted: (true == predicted).all(axis=1).astype(float),
        interval=_wilson,
        shown=False,
    ),
    *(
        Metric(
            f"{name}{by}",
            f"{name}{brackets}",
            f"{name.capitalize()} ({words})",
            of_counts=of_counts,
            of_images=of_images,
            shown=False,
        )
        for place, name in enumerate(("precision", "recall"))
        for by, brackets, words, of_counts, of_images in (
            ("", "", "mean over the classes", macro(place), None),
            ("_micro", " (micro)", "all labels together", micro(place), None),
            ("_samples", " (per image)", "mean over the images", None, per_image(place)),
        )
    ),
    Metric("roc_auc", "ROC AUC", "Area under the ROC curve (mean over the classes)", shown=False),
):
    register(replace(_metric, task="multilabel"))
