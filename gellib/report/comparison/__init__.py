"""The comparison of a sweep's runs: repeats combined, factors, ties, baselines."""

from gellib.report.comparison.compare import Comparison
from gellib.report.comparison.configurations import (
    configurations,
    model_names,
    parameter_label,
    pool_folds,
)

__all__ = [
    "Comparison",
    "configurations",
    "model_names",
    "pool_folds",
    "parameter_label",
]
