"""The fit loop, predictions with what it trained, and trained models on disk."""

from gellib.training.inference import (
    InferenceTime,
    head_probabilities,
    image_features,
    predict_images,
    predict_proba,
    time_inference,
    view_features,
)
from gellib.training.models import ModelError, load_model, load_tensors, save_model
from gellib.training.monitor import check_monitor
from gellib.training.optimise import check_schedule
from gellib.training.phases import compute_features, compute_shard
from gellib.training.train import TrainResult, train

__all__ = [
    "InferenceTime",
    "ModelError",
    "TrainResult",
    "check_monitor",
    "check_schedule",
    "compute_features",
    "head_probabilities",
    "image_features",
    "compute_shard",
    "load_model",
    "load_tensors",
    "predict_images",
    "predict_proba",
    "save_model",
    "time_inference",
    "train",
    "view_features",
]
