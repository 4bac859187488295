"""The runs of a sweep compared: repeats put together, factors, ranking, selection, baselines."""

from gellib.report.comparison.compare import Comparison
from gellib.report.comparison.configurations import (
    configurations,
    model_names,
    pool_folds,
    words,
)

__all__ = [
    "Comparison",
    "configurations",
    "model_names",
    "pool_folds",
    "words",
]
