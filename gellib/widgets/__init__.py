"""The form of `4_predict.ipynb`: choose a model and a picture, see what the model says of it."""

from gellib.widgets.cards import verdict
from gellib.widgets.form import MOST_CARDS, UNTRAINED, PredictWidget, preview, uploaded_files

__all__ = ["MOST_CARDS", "UNTRAINED", "PredictWidget", "preview", "uploaded_files", "verdict"]
