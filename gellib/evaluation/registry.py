"""The metrics of a run: an entry here is in the record, `results.csv`, tables and figures.

To add one that follows from the confusion matrix, call `register(Metric(...))` below with the
function that computes it; nothing else has to be touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

Task = Literal["singlelabel", "multilabel"]


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
        From confusion matrices (..., C, C), rows true classes, to their scores (...), NaN where
        there is none. None where `evaluate` computes it by itself.
    shown
        Whether it has a column in the summary's table, and a figure.
    """

    name: str
    heading: str
    title: str
    task: Task = "singlelabel"
    share: bool = True
    higher_is_better: bool = True
    of_tables: Callable[[np.ndarray], np.ndarray] | None = None
    shown: bool = True

    def text(self, value: float, digits: int = 1) -> str:
        """Write a value: `95.5 %`, or `0.91` where it is no share."""
        return f"{100 * value:.{digits}f} %" if self.share else f"{value:.{digits + 1}f}"


_METRICS: dict[tuple[Task, str], Metric] = {}


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


def all_metrics(task: Task | None = None) -> Iterator[Metric]:
    """Go through the metrics of a task, or of both, in the order of tables."""
    return (m for m in list(_METRICS.values()) if task is None or m.task == task)


def metric_names() -> list[str]:
    """Name all metrics once, those of one label first."""
    return list(dict.fromkeys(metric.name for metric in all_metrics()))


def find_metric(name: str) -> Metric:
    """Return a metric by name; one that both tasks have in the words of the first.

    Raises
    ------
    KeyError
        When there is none.
    """
    return next(metric for metric in all_metrics() if metric.name == name)


def table_metrics(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the registered metrics that follow from confusion matrices (..., C, C)."""
    # Products of counts overflow whole numbers from some ten thousand images on, without a word.
    tables = np.asarray(tables, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            metric.name: np.asarray(metric.of_tables(tables), dtype=float)
            for metric in all_metrics("singlelabel")
            if metric.of_tables is not None
        }


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


register(Metric("accuracy", "accuracy", "Accuracy"))
register(Metric("precision", "precision", "Precision (mean over the classes)"))
register(Metric("recall", "recall", "Recall (mean over the classes)"))
register(Metric("f1", "macro F1", "F1 (mean over the classes)", shown=False))
register(Metric("roc_auc", "ROC AUC", "Area under the ROC curve"))
register(
    Metric(
        "balanced_accuracy",
        "balanced acc.",
        "Balanced accuracy",
        of_tables=balanced_accuracy,
    )
)
register(Metric("kappa", "kappa", "Cohen's kappa", share=False))
register(Metric("mcc", "MCC", "Matthews correlation", share=False, of_tables=matthews_correlation))
for _name, _heading, _title in (
    ("f1_samples", "F1 per image", "F1 per image"),
    ("f1_micro", "micro F1", "F1 of all labels together"),
    ("f1", "macro F1", "F1 (mean over the classes)"),
    ("mean_average_precision", "mean AP", "Average precision (mean over the classes)"),
):
    register(Metric(_name, _heading, _title, "multilabel"))
register(
    Metric(
        "hamming_loss",
        "Hamming loss",
        "Hamming loss (share of wrong labels)",
        "multilabel",
        higher_is_better=False,
    )
)
