"""Explanation maps, uncertainty, and detection of out-of-distribution images."""

from gellib.models.explain.earlier_detector import EarlierDetector, load_detector
from gellib.models.explain.grad_cam import explained_layers
from gellib.models.explain.maps import Explanation, explain_views
from gellib.models.explain.monte_carlo import Uncertainty, has_dropout, uncertainty
from gellib.models.explain.out_of_distribution import (
    MOST_REFERENCES,
    OutOfDistribution,
    fit_out_of_distribution,
)
from gellib.models.explain.rollout import is_vision_transformer
from gellib.models.explain.spatial_layer import ExplainError, last_spatial_layer

__all__ = [
    "MOST_REFERENCES",
    "EarlierDetector",
    "ExplainError",
    "Explanation",
    "OutOfDistribution",
    "Uncertainty",
    "explain_views",
    "explained_layers",
    "fit_out_of_distribution",
    "has_dropout",
    "is_vision_transformer",
    "last_spatial_layer",
    "load_detector",
    "uncertainty",
]
