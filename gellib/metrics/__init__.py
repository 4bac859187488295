"""Numbers from predictions."""

from gellib.metrics.multilabel import (
    Thresholds,
    evaluate_multilabel,
    multi_hot,
    tune_thresholds,
)
from gellib.metrics.scores import evaluate, roc_auc

__all__ = [
    "Thresholds",
    "evaluate",
    "evaluate_multilabel",
    "multi_hot",
    "roc_auc",
    "tune_thresholds",
]
