from .run import TrainingRun
from .steps import (
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
