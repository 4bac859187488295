"""Numbers from predictions."""

from gellib.metrics.intervals import class_intervals, intervals, multilabel_intervals
from gellib.metrics.multilabel import (
    Thresholds,
    evaluate_multilabel,
    multi_hot,
    tune_thresholds,
)
from gellib.metrics.scores import evaluate, roc_auc

__all__ = [
    "Thresholds",
    "class_intervals",
    "evaluate",
    "evaluate_multilabel",
    "intervals",
    "multi_hot",
    "multilabel_intervals",
    "roc_auc",
    "tune_thresholds",
]
