"""Scores where an image has several labels, and thresholds that turn probabilities into them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gellib.evaluation.metric_functions import precision_recall_f1
from gellib.evaluation.registry import label_metrics

BASELINE = 0.5
# Below this many images of a class (or without it) the best threshold is a matter of luck.
MIN_IMAGES = 5
MOST_COMBINATIONS = 20


class Thresholds(NamedTuple):
    """One threshold per class, and whether it was tuned; where it was not it is 0.5."""

    values: np.ndarray
    tuned: np.ndarray


def multi_hot(labels: Collection[int | tuple[int, ...]] | pd.Series, n_classes: int) -> np.ndarray:
    """Write labels, numbers or tuples of them, as rows of 0 and 1: (n, classes)."""
    rows = np.zeros((len(labels), n_classes), dtype=np.int64)
    for row, label in zip(rows, labels, strict=True):
        row[list(label) if isinstance(label, tuple) else [label]] = 1
    return rows


def tune_thresholds(y_val: np.ndarray, p_val: np.ndarray) -> Thresholds:
    """Find, for each class, the threshold with the highest F1 on the validation images.

    A threshold lies midway between two probabilities; of equally good ones the nearest to 0.5 is
    taken. A class with fewer than five images, or without it fewer than five, keeps 0.5.

    Parameters
    ----------
    y_val
        (n, C), 0 and 1.
    p_val
        (n, C), each probability by itself in 0..1.
    """
    y_val, p_val = _checked(y_val, p_val, np.shape(y_val)[-1])
    values = np.full(y_val.shape[1], BASELINE)
    support = y_val.sum(axis=0)
    tuned = np.minimum(support, len(y_val) - support) >= MIN_IMAGES
    for c in np.flatnonzero(tuned):
        values[c] = _best_threshold(y_val[:, c], p_val[:, c])
    return Thresholds(values, tuned)


def _best_threshold(truth: np.ndarray, p: np.ndarray) -> float:
    order = np.argsort(-p, kind="stable")
    ranked, found = p[order], np.cumsum(truth[order])
    f1 = 2 * found / (np.arange(1, len(p) + 1) + truth.sum())
    # A cut is possible behind the last of equal probabilities only.
    cuts = np.append(np.flatnonzero(np.diff(ranked)), len(p) - 1)
    below = np.append(ranked[1:], 0.0)[cuts]
    middles = (ranked[cuts] + below) / 2
    best = np.flatnonzero(np.isclose(f1[cuts], f1[cuts].max(), rtol=0, atol=1e-12))
    # Between the two probabilities any threshold does: 0.5 itself, if it lies there.
    inside = (below[best] < BASELINE) & (ranked[cuts][best] >= BASELINE)
    if inside.any():
        return BASELINE
    return float(middles[best[np.argmin(np.abs(middles[best] - BASELINE))]])


def evaluate_multilabel(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    thresholds: Sequence[float] | np.ndarray | None = None,
) -> dict[str, Any]:
    """Score the probabilities of several labels per image against the truth.

    Parameters
    ----------
    y_true
        (n, C), 0 and 1.
    probabilities
        (n, C), each by itself in 0..1.
    classes
        C class names.
    thresholds
        C numbers; a label is given where its probability reaches its threshold. Without them, 0.5.

    Returns
    -------
    dict
        `n`; `accuracy` (all labels of the image right: subset accuracy); `hamming_loss`; macro
        `precision`, `recall`, `f1`; the same with `_micro` and `_samples` (per image, then the
        mean; 1 where an image has no label and gets none); `roc_auc` and `mean_average_precision`
        (means over the classes for which they are defined); `loss` (mean binary cross entropy,
        nats); `per_class` with `precision`, `recall`, `f1`, `average_precision`, `roc_auc`,
        `support`, `predicted` (images given the label), `threshold`; `combinations` (the most
        frequent sets of labels, true and predicted); `baseline`, the averages at 0.5.

    Raises
    ------
    ValueError
        When the shapes disagree, there are no images, or a probability is not in 0..1.
    """
    y_true, probabilities = _checked(y_true, probabilities, len(classes))
    cut = np.full(len(classes), BASELINE) if thresholds is None else np.asarray(thresholds, float)
    if cut.shape != (len(classes),):
        raise ValueError(f"got {cut.size} thresholds, expected {len(classes)}: one per class")
    predicted = (probabilities >= cut).astype(np.int64)
    baseline = (probabilities >= BASELINE).astype(np.int64)
    per_class = _per_class(y_true, predicted, probabilities, classes, cut)
    p = np.clip(probabilities, 1e-12, 1 - 1e-12)
    loss = -np.where(y_true == 1, np.log(p), np.log1p(-p)).mean()
    return {
        "n": len(y_true),
        **label_metrics(y_true > 0, predicted > 0),
        "roc_auc": _mean([values["roc_auc"] for values in per_class.values()]),
        "mean_average_precision": _mean(
            [values["average_precision"] for values in per_class.values()]
        ),
        "loss": float(loss),
        "per_class": per_class,
        "combinations": _combinations(y_true, predicted, classes),
        "baseline": {"threshold": BASELINE} | label_metrics(y_true > 0, baseline > 0),
    }


def _checked(
    y_true: np.ndarray, probabilities: np.ndarray, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    y_true, probabilities = np.asarray(y_true), np.asarray(probabilities, dtype=np.float64)
    expected = (len(y_true), n_classes)
    for name, values in (("y_true", y_true), ("probabilities", probabilities)):
        if values.shape != expected:
            raise ValueError(
                f"{name}: got the shape {values.shape}, expected {expected}: one row per image, "
                "one column per class"
            )
    if not len(y_true):
        raise ValueError("no images to evaluate: got 0 rows, expected at least one")
    if not np.isin(y_true, (0, 1)).all():
        raise ValueError(f"y_true: got {y_true.min()} to {y_true.max()}, expected 0 and 1")
    if not np.isfinite(probabilities).all():
        raise ValueError(
            "probabilities are not finite: the training diverged; lower the learning rate"
        )
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(
            f"probabilities: got {probabilities.min():.3g} to {probabilities.max():.3g}, "
            "expected 0 to 1"
        )
    return y_true.astype(np.int64), probabilities


def _per_class(
    y_true: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    thresholds: np.ndarray,
) -> dict[str, dict[str, Any]]:
    from sklearn import metrics as skm

    both = (y_true & predicted).sum(axis=0).astype(float)
    precision, recall, f1 = precision_recall_f1(both, predicted.sum(axis=0), y_true.sum(axis=0))
    result = {}
    for c, name in enumerate(classes):
        truth, p = y_true[:, c], probabilities[:, c]
        some, every = truth.any(), truth.all()
        result[name] = {
            "precision": float(precision[c]),
            "recall": float(recall[c]),
            "f1": float(f1[c]),
            "average_precision": float(skm.average_precision_score(truth, p)) if some else None,
            "roc_auc": float(skm.roc_auc_score(truth, p)) if some and not every else None,
            "support": int(truth.sum()),
            "predicted": int(predicted[:, c].sum()),
            "threshold": float(thresholds[c]),
        }
    return result


def _combinations(
    y_true: np.ndarray, predicted: np.ndarray, classes: Sequence[str]
) -> list[dict[str, Any]]:
    true, given = (Counter(map(tuple, rows.tolist())) for rows in (y_true, predicted))
    right = Counter(map(tuple, y_true[(y_true == predicted).all(axis=1)].tolist()))
    order = sorted({*true, *given}, key=lambda row: (-true[row], -given[row], row))
    return [
        {
            "labels": [name for name, has in zip(classes, row, strict=True) if has],
            "true": true[row],
            "predicted": given[row],
            "right": right[row],
        }
        for row in order[:MOST_COMBINATIONS]
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
