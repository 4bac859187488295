"""The forms of the notebooks, a thin layer over the functions of the package."""

from gellib.report.widgets.cards import verdict
from gellib.report.widgets.form import MOST_CARDS, UNTRAINED, PredictWidget, preview, uploaded_files
from gellib.report.widgets.review import ReviewWidget

__all__ = [
    "MOST_CARDS",
    "UNTRAINED",
    "PredictWidget",
    "ReviewWidget",
    "preview",
    "uploaded_files",
    "verdict",
]
