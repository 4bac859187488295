"""Why a model says what it says, how sure it is, and whether it knows such pictures at all."""

from gellib.explain.monte_carlo import Uncertainty, has_dropout, uncertainty
from gellib.explain.out_of_distribution import (
    MOST_IMAGES,
    OutOfDistribution,
    fit_out_of_distribution,
)

__all__ = [
    "MOST_IMAGES",
    "OutOfDistribution",
    "Uncertainty",
    "fit_out_of_distribution",
    "has_dropout",
    "uncertainty",
]
