"""Scores of class probabilities against the truth: `evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gellib.evaluation.registry import table_metrics


def evaluate(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    positive: str = "",
) -> dict[str, Any]:
    """Score class probabilities against the truth.

    Parameters
    ----------
    y_true
        (n,) class numbers.
    probabilities
        (n, C) rows that sum to one; the predicted class is the most probable one.
    classes
        C class names.
    positive
        Two classes: the one that is looked for, by default the last.

    Returns
    -------
    dict
        `n`, `accuracy`, macro `precision`, `recall` and `f1`, `roc_auc` (from probabilities; for
        more than two classes macro one-vs-rest; None where a class is absent), `loss` (mean
        negative log-likelihood, nats), `kappa` (Cohen's, at most 1; None where truth and verdicts
        are all of one class), the metrics of `registry.py` that follow from the confusion
        matrix (None where they are undefined), `confusion_matrix` (rows: true class) and
        `per_class`; for two classes `positive`, its name, and of that class `sensitivity` and
        `specificity` (None without images of it, or of the other). All but `n`, `loss` and the
        registered metrics that are no share lie in 0..1.

    Raises
    ------
    ValueError
        When the shapes disagree, a label is no class number or a probability is not finite.
    """
    y_true = np.asarray(y_true)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    expected = (len(y_true), len(classes))
    if probabilities.shape != expected:
        raise ValueError(
            f"probabilities have the shape {probabilities.shape}, expected {expected}: "
            "one row per image, one column per class"
        )
    if len(y_true) == 0:
        raise ValueError("no images to evaluate: got 0 labels, expected at least one")
    if y_true.min() < 0 or y_true.max() >= len(classes):
        raise ValueError(
            f"labels run from {y_true.min()} to {y_true.max()}, classes from 0 to "
            f"{len(classes) - 1}"
        )
    if not np.isfinite(probabilities).all():
        raise ValueError(
            "probabilities are not finite: the training diverged; lower the learning rate"
        )
    from sklearn import metrics as skm

    numbers = np.arange(len(classes))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = skm.precision_recall_fscore_support(
        y_true, predicted, labels=numbers, zero_division=0
    )
    likelihood = probabilities[np.arange(len(y_true)), y_true]
    confusion = skm.confusion_matrix(y_true, predicted, labels=numbers)
    registered = {
        name: float(value) if np.isfinite(value) else None
        for name, value in table_metrics(confusion).items()
    }
    return {
        "n": len(y_true),
        **registered,
        "roc_auc": roc_auc(y_true, probabilities, classes, positive=positive),
        "loss": float(-np.log(np.clip(likelihood, 1e-12, 1.0)).mean()),
        **(_of_positive(confusion, classes, positive) if len(classes) == 2 else {}),
        "confusion_matrix": confusion.tolist(),
        "per_class": {
            name: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "support": int(support[i]),
            }
            for i, name in enumerate(classes)
        },
    }


def roc_auc(
    y_true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], *, positive: str = ""
) -> float | None:
    """Area under the ROC curve, from probabilities; None where one class alone is present.

    Two classes: of the positive one (the last, where none is named). More: the mean over
    the classes, each against the rest.

    Parameters
    ----------
    y_true
        (n,) class numbers.
    probabilities
        (n, C).
    classes
        C class names.
    positive
        Of two classes, the one that is looked for.
    """
    from sklearn.metrics import roc_auc_score

    present = np.bincount(y_true, minlength=len(classes))
    if len(classes) == 2:
        if (present == 0).any():
            return None
        column = _column(classes, positive)
        return float(roc_auc_score(y_true == column, probabilities[:, column]))
    if (present == 0).any() or len(classes) < 2:
        return None
    return float(
        np.mean([roc_auc_score(y_true == c, probabilities[:, c]) for c in range(len(classes))])
    )


def _column(classes: Sequence[str], positive: str) -> int:
    return list(classes).index(positive) if positive else len(classes) - 1


def _of_positive(
    confusion: np.ndarray, classes: Sequence[str], positive: str
) -> dict[str, str | float | None]:
    column = _column(classes, positive)
    totals = confusion.sum(axis=1)
    found, passed = (
        float(confusion[c, c] / totals[c]) if totals[c] else None for c in (column, 1 - column)
    )
    return {"positive": classes[column], "sensitivity": found, "specificity": passed}
