"""One run, from its configuration to its record: the steps that `2_train.ipynb` shows."""

from gellib.training_run.run import TrainingRun
from gellib.training_run.steps import (
    TrainingRunError,
    check_network,
    choose_compute,
    feature_store,
    limits_of,
    load_backbone,
    load_images,
)

__all__ = [
    "TrainingRun",
    "TrainingRunError",
    "check_network",
    "choose_compute",
    "feature_store",
    "limits_of",
    "load_backbone",
    "load_images",
]
