"""Backbones trained on simulated images alone: the weights that we ship."""

from gellib.labsim.pretraining.recipe import RECIPES, PretrainError, Recipe
from gellib.labsim.pretraining.training_loop import pretrain
from gellib.labsim.pretraining.validation import HeldOutPredictions, predict_held_out, validate
from gellib.labsim.pretraining.weights_files import load_class_model, read_card

__all__ = [
    "RECIPES",
    "HeldOutPredictions",
    "PretrainError",
    "Recipe",
    "predict_held_out",
    "load_class_model",
    "pretrain",
    "read_card",
    "validate",
]
