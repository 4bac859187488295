"""The runs of a sweep compared: repeats put together, factors, ranking, selection, baselines."""

from gellib.report.comparison.compare import Comparison
from gellib.report.comparison.configurations import (
    METRICS,
    configurations,
    model_names,
    pool_folds,
    score_of,
    words,
)

__all__ = [
    "METRICS",
    "Comparison",
    "configurations",
    "model_names",
    "pool_folds",
    "score_of",
    "words",
]
