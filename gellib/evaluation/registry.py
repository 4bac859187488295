"""The metrics of a run: an entry here is in the record, `results.csv`, tables and figures.

To add one, call `register(Metric(...))` below with the function that computes it; nothing else has
to be touched. What it is computed from depends on the task: confusion matrices where an image has
one label; counts of labels, or the labels of each image, where it has several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gellib.evaluation.counts import precision_recall_f1, ratio
from gellib.evaluation.resampling import Interval, wilson

TaskName = Literal["single_label", "multilabel"]


@dataclass(frozen=True)
class Metric:
    """A score of predictions against the truth.

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

    Without a function, the evaluation of the task computes it, and its interval, by itself.
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


def balanced_accuracy(tables: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that there are images of."""
    of_class = tables.sum(axis=-1)
    recall = np.diagonal(tables, axis1=-2, axis2=-1) / of_class
    return np.nansum(recall, axis=-1) / (of_class > 0).sum(axis=-1)


def matthews_correlation(tables: np.ndarray) -> np.ndarray:
    """Correlation of truth and prediction (Gorodkin 2004); NaN where one of them has one class."""
    tables = np.asarray(tables, dtype=float)
    of_class, predicted = tables.sum(axis=-1), tables.sum(axis=-2)
    n = of_class.sum(axis=-1)
    right = np.trace(tables, axis1=-2, axis2=-1)
    spread = (n**2 - (predicted**2).sum(axis=-1)) * (n**2 - (of_class**2).sum(axis=-1))
    return np.where(
        spread > 0, (right * n - (of_class * predicted).sum(axis=-1)) / np.sqrt(spread), np.nan
    )


def _accuracy(tables: np.ndarray) -> np.ndarray:
    return np.trace(tables, axis1=-2, axis2=-1) / tables.sum(axis=(-2, -1))


def _kappa(tables: np.ndarray) -> np.ndarray:
    """Agreement beyond what the totals of rows and columns would give by chance (Cohen 1960)."""
    of_class, predicted = tables.sum(axis=-1), tables.sum(axis=-2)
    by_chance = (of_class * predicted).sum(axis=-1) / of_class.sum(axis=-1) ** 2
    found = ratio(_accuracy(tables) - by_chance, 1 - by_chance)
    return np.where(by_chance < 1, found, np.nan)


def _mean_over_classes(place: int) -> Callable[[np.ndarray], np.ndarray]:
    """Mean over the classes of precision (0), recall (1) or F1 (2), from confusion matrices."""

    def of_tables(tables: np.ndarray) -> np.ndarray:
        right = np.diagonal(tables, axis1=-2, axis2=-1)
        scores = precision_recall_f1(right, tables.sum(axis=-2), tables.sum(axis=-1))
        return scores[place].mean(axis=-1)

    return of_tables


def _macro(place: int) -> Callable[[np.ndarray], np.ndarray]:
    """Mean over the labels of precision (0), recall (1) or F1 (2), from counts."""
    return lambda counts: precision_recall_f1(*_split(counts))[place].mean(axis=-1)


def _micro(place: int) -> Callable[[np.ndarray], np.ndarray]:
    """Precision (0), recall (1) or F1 (2) of all labels together, from counts."""
    in_all = _macro(place)  # the mean over a single sum
    return lambda counts: in_all(counts.sum(axis=-1, keepdims=True))


def _per_image(place: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Precision (0), recall (1) or F1 (2) of each image; 1 where it has no label and gets none."""

    def of_images(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        both = (true & predicted).sum(axis=1)
        return precision_recall_f1(both, predicted.sum(axis=1), true.sum(axis=1), nothing=1.0)[
            place
        ]

    return of_images


def _split(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]


def _wilson(share: float, n: float) -> Interval:
    return list(wilson(share * n, n))


for _metric in (
    Metric("accuracy", "accuracy", "Accuracy", of_tables=_accuracy, interval=_wilson),
    Metric(
        "precision",
        "precision",
        "Precision (mean over the classes)",
        of_tables=_mean_over_classes(0),
    ),
    Metric("recall", "recall", "Recall (mean over the classes)", of_tables=_mean_over_classes(1)),
    Metric(
        "f1", "macro F1", "F1 (mean over the classes)", of_tables=_mean_over_classes(2), shown=False
    ),
    Metric("roc_auc", "ROC AUC", "Area under the ROC curve"),
    Metric("balanced_accuracy", "balanced acc.", "Balanced accuracy", of_tables=balanced_accuracy),
    Metric("kappa", "kappa", "Cohen's kappa", share=False, of_tables=_kappa),
    Metric("mcc", "MCC", "Matthews correlation", share=False, of_tables=matthews_correlation),
):
    register(_metric)
for _metric in (
    Metric("f1_samples", "F1 per image", "F1 per image", of_images=_per_image(2)),
    Metric("f1_micro", "micro F1", "F1 of all labels together", of_counts=_micro(2)),
    Metric("f1", "macro F1", "F1 (mean over the classes)", of_counts=_macro(2)),
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
            ("", "", "mean over the classes", _macro(place), None),
            ("_micro", " (micro)", "all labels together", _micro(place), None),
            ("_samples", " (per image)", "mean over the images", None, _per_image(place)),
        )
    ),
    Metric("roc_auc", "ROC AUC", "Area under the ROC curve (mean over the classes)", shown=False),
):
    register(replace(_metric, task="multilabel"))
