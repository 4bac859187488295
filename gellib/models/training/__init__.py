"""Training, prediction with the trained model, and model files."""

from gellib.models.training.cached_inputs import compute_features, compute_shard
from gellib.models.training.checkpoint import ModelError, load_model, load_tensors, save_model
from gellib.models.training.crossval import CrossValidation
from gellib.models.training.inference import (
    InferenceTime,
    head_probabilities,
    image_features,
    predict_images,
    predict_proba,
    time_inference,
    view_features,
)
from gellib.models.training.monitor import check_monitor
from gellib.models.training.optimise import check_schedule
from gellib.models.training.train import TrainResult, train

__all__ = [
    "CrossValidation",
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
