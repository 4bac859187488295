"""Predictions of any number of images as files: a table, a page, copies in folders by class."""

from gellib.report.predicted.outputs import Outputs
from gellib.report.predicted.write_files import predict_to_files

__all__ = ["Outputs", "predict_to_files"]
