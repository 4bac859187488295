"""The forms of the notebooks, a thin layer over the functions of the package."""

from gellib.report.thumbnails import preview
from gellib.report.widgets.cards import verdict
from gellib.report.widgets.controls import UNTRAINED
from gellib.report.widgets.form import MOST_MAPS, PredictWidget
from gellib.report.widgets.review import ReviewWidget
from gellib.report.widgets.shown_predictions import MOST_SHOWN
from gellib.report.widgets.uploads import uploaded_files

__all__ = [
    "MOST_MAPS",
    "MOST_SHOWN",
    "UNTRAINED",
    "PredictWidget",
    "ReviewWidget",
    "preview",
    "uploaded_files",
    "verdict",
]
