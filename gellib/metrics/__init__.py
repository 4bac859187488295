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
from gellib.metrics.resampling import group_numbers, wilson
from gellib.metrics.scores import evaluate, roc_auc
from gellib.metrics.selective import entropy, error_detection, label_entropy, risk_coverage

__all__ = [
    "Temperature",
    "Thresholds",
    "calibration_record",
    "calibration_scores",
    "class_intervals",
    "entropy",
    "error_detection",
    "evaluate",
    "evaluate_multilabel",
    "fit_temperature",
    "group_numbers",
    "intervals",
    "label_entropy",
    "multi_hot",
    "multilabel_intervals",
    "reliability",
    "risk_coverage",
    "roc_auc",
    "temper",
    "tune_thresholds",
    "wilson",
]
