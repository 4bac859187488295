from .calibration import (
    ENOUGH_IMAGES,
    Temperature,
    calibration_record,
    calibration_scores,
    fit_temperature,
    reliability,
)
from .effects import (
    ALPHA,
    BETTER,
    NO_EVIDENCE,
    NOT_ENOUGH,
    PRACTICALLY_SAME,
    WORSE,
    Effect,
    adjust_for_multiplicity,
    compare_pairs,
    factor_effects,
)
from .image_scores import ImageScores
from .indistinguishable import (
    Indistinguishable,
    distinguish_over_seeds,
    find_indistinguishable,
    optimism,
)
from .intervals import class_intervals, intervals, multilabel_intervals
from .multilabel import (
    Thresholds,
    evaluate_multilabel,
    multi_hot,
    tune_thresholds,
)
from .over_seeds import (
    MeanError,
    interval_over_seeds,
    mean_error,
    shared_images,
)
from .paired import (
    group_sums,
    holm,
    mean_interval,
    sign_flip,
    t_test,
)
from .power import DIFFERENCE, images_needed, seeds_needed, variance_of_mean
from .prediction_sets import (
    NONE_OF_THESE,
    PredictionSetRule,
    fit_prediction_sets,
    set_text,
)
from .resampling import group_numbers, wilson
from .scores import evaluate, roc_auc
from .selective import entropy, error_detection, label_entropy, risk_coverage
from .task import (
    MULTILABEL,
    SINGLE_LABEL,
    TASKS,
    Task,
    find_task,
    task_of_labels,
    task_of_targets,
)

__all__ = [
    "ALPHA",
    "BETTER",
    "DIFFERENCE",
    "ENOUGH_IMAGES",
    "MULTILABEL",
    "NONE_OF_THESE",
    "NO_EVIDENCE",
    "NOT_ENOUGH",
    "PRACTICALLY_SAME",
    "SINGLE_LABEL",
    "TASKS",
    "WORSE",
    "Effect",
    "ImageScores",
    "Indistinguishable",
    "MeanError",
    "PredictionSetRule",
    "Task",
    "Temperature",
    "Thresholds",
    "adjust_for_multiplicity",
    "calibration_record",
    "calibration_scores",
    "class_intervals",
    "compare_pairs",
    "distinguish_over_seeds",
    "entropy",
    "error_detection",
    "evaluate",
    "evaluate_multilabel",
    "factor_effects",
    "find_indistinguishable",
    "find_task",
    "fit_prediction_sets",
    "fit_temperature",
    "group_numbers",
    "group_sums",
    "holm",
    "images_needed",
    "interval_over_seeds",
    "intervals",
    "label_entropy",
    "mean_error",
    "mean_interval",
    "multi_hot",
    "multilabel_intervals",
    "optimism",
    "reliability",
    "risk_coverage",
    "roc_auc",
    "seeds_needed",
    "shared_images",
    "set_text",
    "sign_flip",
    "t_test",
    "task_of_labels",
    "task_of_targets",
    "tune_thresholds",
    "variance_of_mean",
    "wilson",
]
