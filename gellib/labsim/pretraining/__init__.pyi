from .recipe import RECIPES, PretrainError, Recipe
from .training_loop import pretrain
from .validation import HeldOutPredictions, predict_held_out, validate
from .weights_files import load_class_model, read_card

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
