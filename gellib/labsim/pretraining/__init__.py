"""Backbones trained on simulated images alone: the weights that we ship."""

from gellib.labsim.pretraining.files import load_class_model, read_card
from gellib.labsim.pretraining.fit import pretrain
from gellib.labsim.pretraining.recipe import RECIPES, PretrainError, Recipe
from gellib.labsim.pretraining.validation import HeldOutPredictions, predict_held_out, validate

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
