"""What the metrics are: functions of confusion matrices, of counts, of the labels of images."""

from __future__ import annotations

from collections.abc import Callable

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


def balanced_accuracy(tables: np.ndarray) -> np.ndarray:
    """Mean recall over the classes that there are images of."""
    of_class = tables.sum(axis=-1)
    recall = np.diagonal(tables, axis1=-2, axis2=-1) / of_class
    return np.nansum(recall, axis=-1) / (of_class > 0).sum(axis=-1)


def matthews_correlation(tables: np.ndarray) -> np.ndarray:
    """Correlation of truth and prediction (Gorodkin 2004); NaN where one of them has one class."""
    tables = np.asarray(tables, dtype=float)
    of_class, predicted = tables.sum(axis=-1), tables.sum(axis=-2)
    n = of_class.sum(axis=-1)
    right = np.trace(tables, axis1=-2, axis2=-1)
    spread = (n**2 - (predicted**2).sum(axis=-1)) * (n**2 - (of_class**2).sum(axis=-1))
    return np.where(
        spread > 0, (right * n - (of_class * predicted).sum(axis=-1)) / np.sqrt(spread), np.nan
    )


def accuracy(tables: np.ndarray) -> np.ndarray:
    """Compute the share of right predictions."""
    return np.trace(tables, axis1=-2, axis2=-1) / tables.sum(axis=(-2, -1))


def cohen_kappa(tables: np.ndarray) -> np.ndarray:
    """Agreement beyond what the totals of rows and columns would give by chance (Cohen 1960)."""
    of_class, predicted = tables.sum(axis=-1), tables.sum(axis=-2)
    by_chance = (of_class * predicted).sum(axis=-1) / of_class.sum(axis=-1) ** 2
    found = ratio(accuracy(tables) - by_chance, 1 - by_chance)
    return np.where(by_chance < 1, found, np.nan)


def mean_over_classes(place: int) -> Callable[[np.ndarray], np.ndarray]:
    """Mean over the classes of precision (0), recall (1) or F1 (2), from confusion matrices."""

    def of_tables(tables: np.ndarray) -> np.ndarray:
        right = np.diagonal(tables, axis1=-2, axis2=-1)
        scores = precision_recall_f1(right, tables.sum(axis=-2), tables.sum(axis=-1))
        return scores[place].mean(axis=-1)

    return of_tables


def macro(place: int) -> Callable[[np.ndarray], np.ndarray]:
    """Mean over the labels of precision (0), recall (1) or F1 (2), from counts."""
    return lambda counts: precision_recall_f1(*_split(counts))[place].mean(axis=-1)


def micro(place: int) -> Callable[[np.ndarray], np.ndarray]:
    """Precision (0), recall (1) or F1 (2) of all labels together, from counts."""
    in_all = macro(place)  # the mean over a single sum
    return lambda counts: in_all(counts.sum(axis=-1, keepdims=True))


def per_image(place: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Precision (0), recall (1) or F1 (2) of each image; 1 where it has no label and gets none."""

    def of_images(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        both = (true & predicted).sum(axis=1)
        return precision_recall_f1(both, predicted.sum(axis=1), true.sum(axis=1), nothing=1.0)[
            place
        ]

    return of_images


def _split(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return counts[..., 0, :], counts[..., 1, :], counts[..., 2, :]
