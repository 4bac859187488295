"""The fit loop, predictions with what it trained, and trained models on disk."""

from gellib.training.fit import TrainResult, compute_features, train
from gellib.training.inference import (
    InferenceTime,
    predict_images,
    predict_proba,
    time_inference,
)
from gellib.training.models import ModelError, load_model, save_model

__all__ = [
    "InferenceTime",
    "ModelError",
    "TrainResult",
    "compute_features",
    "load_model",
    "predict_images",
    "predict_proba",
    "save_model",
    "time_inference",
    "train",
]
