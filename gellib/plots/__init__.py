"""The figures: functions that return a matplotlib `Figure` and compute no metrics."""

from gellib.plots.audit import (
    class_places,
    cluster_samples,
    duplicate_pairs,
    images_with_reasons,
    shortcut_bars,
)
from gellib.plots.base import Chart, Message, message, save
from gellib.plots.data import class_counts, image_kinds, image_sizes, sample_grid
from gellib.plots.demo import demo_predictions
from gellib.plots.explain import MapShown, explanations, lay_over
from gellib.plots.labels import class_imbalance, co_occurrence, label_combinations, label_scores
from gellib.plots.run import confusion_matrix, roc_curve
from gellib.plots.sweep import (
    accuracy_by,
    class_scores,
    confusion_matrices,
    effects,
    losses,
    metric_bars,
    metric_panels,
    metrics_heatmap,
    pareto,
    search_3d,
    search_heatmap,
    tied_models,
    time_by_architecture,
)
from gellib.plots.training import class_curves, learning_rate, loss_accuracy
from gellib.plots.trust import reliability_diagram, risk_coverage

__all__ = [
    "Chart",
    "MapShown",
    "Message",
    "accuracy_by",
    "class_counts",
    "class_curves",
    "class_imbalance",
    "class_scores",
    "co_occurrence",
    "confusion_matrices",
    "confusion_matrix",
    "demo_predictions",
    "duplicate_pairs",
    "effects",
    "cluster_samples",
    "explanations",
    "image_kinds",
    "image_sizes",
    "label_combinations",
    "label_scores",
    "lay_over",
    "learning_rate",
    "loss_accuracy",
    "losses",
    "message",
    "metric_bars",
    "metric_panels",
    "metrics_heatmap",
    "images_with_reasons",
    "pareto",
    "tied_models",
    "reliability_diagram",
    "risk_coverage",
    "roc_curve",
    "sample_grid",
    "save",
    "search_3d",
    "search_heatmap",
    "shortcut_bars",
    "class_places",
    "time_by_architecture",
]
