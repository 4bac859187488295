"""The fit loop, predictions with what it trained, and trained models on disk."""

from gellib.training.inference import (
    InferenceTime,
    predict_images,
    predict_proba,
    time_inference,
)
from gellib.training.models import ModelError, load_model, save_model
from gellib.training.monitor import check_monitor
from gellib.training.optimise import check_schedule
from gellib.training.phases import compute_features
from gellib.training.train import TrainResult, train

__all__ = [
    "InferenceTime",
    "ModelError",
    "TrainResult",
    "check_monitor",
    "check_schedule",
    "compute_features",
    "load_model",
    "predict_images",
    "predict_proba",
    "save_model",
    "time_inference",
    "train",
]
