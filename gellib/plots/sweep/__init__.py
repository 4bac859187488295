"""The figures of a sweep: models, factors, tied models, search, classes."""

from gellib.plots.sweep.classes import class_scores, confusion_matrices, losses
from gellib.plots.sweep.compare import effects, tied_models
from gellib.plots.sweep.configurations import metric_bars, metrics_heatmap
from gellib.plots.sweep.factors import accuracy_by, time_by_architecture
from gellib.plots.sweep.grid_search import search_3d, search_heatmap
from gellib.plots.sweep.names import (
    FACTORS,
    TIMES,
    id_ranges,
    metrics_of,
    model_labels,
)
from gellib.plots.sweep.panels import metric_panels
from gellib.plots.sweep.speed import pareto

__all__ = [
    "FACTORS",
    "TIMES",
    "accuracy_by",
    "class_scores",
    "confusion_matrices",
    "effects",
    "id_ranges",
    "losses",
    "metric_bars",
    "metric_panels",
    "metrics_heatmap",
    "metrics_of",
    "model_labels",
    "pareto",
    "tied_models",
    "search_3d",
    "search_heatmap",
    "time_by_architecture",
]
