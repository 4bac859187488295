"""Numbers from predictions."""

from gellib.metrics.calibration import (
    Temperature,
    calibration_record,
    calibration_scores,
    fit_temperature,
    reliability,
    temper,
)
from gellib.metrics.intervals import class_intervals, intervals, multilabel_intervals
from gellib.metrics.multilabel import (
    Thresholds,
    evaluate_multilabel,
    multi_hot,
    tune_thresholds,
)
from gellib.metrics.scores import evaluate, roc_auc

__all__ = [
    "Temperature",
    "Thresholds",
    "calibration_record",
    "calibration_scores",
    "class_intervals",
    "evaluate",
    "evaluate_multilabel",
    "fit_temperature",
    "intervals",
    "multi_hot",
    "multilabel_intervals",
    "reliability",
    "roc_auc",
    "temper",
    "tune_thresholds",
]
