"""Precision, recall and F1 from counts: the one place that says what they are where undefined."""

from __future__ import annotations

import numpy as np

_NOTHING = 1e-12  # counts that are divided by a design effect are broken numbers


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Divide, and give 0 where there is nothing to divide by."""
    bottom = np.asarray(bottom, dtype=float)
    return np.divide(top, bottom, out=np.zeros_like(bottom), where=bottom > _NOTHING)


def precision_recall_f1(
    both: np.ndarray, predicted: np.ndarray, true: np.ndarray, *, nothing: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute precision, recall and F1 from counts.

    Precision of what was never predicted and recall of what there is none of are 0.

    Parameters
    ----------
    both
        True and predicted, of any shape.
    predicted, true
        Predicted, and true; of the same shape.
    nothing
        What all three are where nothing is true and nothing is predicted.
    """
    values = ratio(both, predicted), ratio(both, true), ratio(2 * both, predicted + true)
    if nothing:
        neither = (predicted == 0) & (true == 0)
        return tuple(np.where(neither, nothing, value) for value in values)  # type: ignore[return-value]
    return values
