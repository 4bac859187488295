"""Deferring uncertain images to a person: is the uncertainty where the mistakes are?"""

from __future__ import annotations

from typing import Any

import numpy as np

from gellib.evaluation.resampling import roc_auc_interval, wilson

DEFERRED_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each row in nats: 0 where one class is certain."""
    p = np.asarray(probabilities, dtype=np.float64)
    return -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)


def label_entropy(probabilities: np.ndarray) -> np.ndarray:
    """Mean entropy of the labels of each row, each of which is there or not, in nats."""
    p = np.asarray(probabilities, dtype=np.float64)
    return entropy(np.stack([p, 1 - p], axis=-1)).mean(axis=-1)


def risk_coverage(uncertainty: np.ndarray, right: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracy of what is left when the most uncertain images are deferred to a person.

    Returns `handed_over` (shares from 0 on), `accuracy` and its 95 % interval `low`, `high`. Images
    of equal uncertainty go in an order of their own accuracy: none gains by chance.
    """
    uncertainty, right = np.asarray(uncertainty, float), np.asarray(right, float)
    _, level = np.unique(uncertainty, return_inverse=True)
    mean = np.bincount(level, right) / np.bincount(level)
    order = np.argsort(uncertainty, kind="stable")
    n = len(right)
    kept = np.arange(n, 0, -1)
    correct = np.cumsum(mean[level[order]])[kept - 1]
    ends = np.array([wilson(c, k) for c, k in zip(correct, kept, strict=True)])
    return {
        "handed_over": 1 - kept / n,
        "accuracy": correct / kept,
        "low": ends[:, 0],
        "high": ends[:, 1],
    }


def error_detection(uncertainty: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Say how well the uncertainty finds mistakes.

    Returns
    -------
    dict
        `auroc`: how often a wrong prediction is less certain than a right one (None without both),
        with its 95 % `interval`; `aurc`: the mean share of mistakes over all shares deferred;
        and `accuracy`, on the remaining images when 0, 10, ... 50 % are deferred.
    """
    from sklearn.metrics import roc_auc_score

    right = np.asarray(right, dtype=bool)
    curve = risk_coverage(uncertainty, right)
    both = right.any() and not right.all()
    alone = np.arange(len(right))
    places = [round(share * len(right)) for share in DEFERRED_SHARES]
    return {
        "auroc": float(roc_auc_score(~right, uncertainty)) if both else None,
        "interval": roc_auc_interval(~right[:, None], np.asarray(uncertainty)[:, None], alone),
        "aurc": float((1 - curve["accuracy"]).mean()),
        "handed_over": list(DEFERRED_SHARES),
        "accuracy": [float(curve["accuracy"][min(i, len(right) - 1)]) for i in places],
    }
