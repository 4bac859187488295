"""Numbers from predictions."""

from gellib.metrics.scores import evaluate, roc_auc

__all__ = ["evaluate", "roc_auc"]
