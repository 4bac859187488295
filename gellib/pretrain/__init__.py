"""Backbones trained on simulated images alone: the weights that we ship."""

from gellib.pretrain.files import load_class_model, read_card
from gellib.pretrain.fit import pretrain
from gellib.pretrain.recipe import RECIPES, PretrainError, Recipe
from gellib.pretrain.validation import Answers, answers, validate

__all__ = [
    "RECIPES",
    "Answers",
    "PretrainError",
    "Recipe",
    "answers",
    "load_class_model",
    "pretrain",
    "read_card",
    "validate",
]
