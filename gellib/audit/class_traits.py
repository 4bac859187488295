"""Which class has what: the usual value of a property in each class, in words and as maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gellib.audit.file_properties import CATEGORICAL
from gellib.audit.marks import Mark
from gellib.data.duplicates.image_traits import ImageTraits

_MOST_CLASSES = 4
_PLACES = (
    ("top left", "top", "top right"),
    ("left", "middle", "right"),
    ("bottom left", "bottom", "bottom right"),
)
# Cells count for the place if they weigh at least this share of the heaviest.
_HEAVY = 0.5
# Half of the weight must lie in one third of the image; otherwise the place is "several places".
_GATHERED = 0.5


def per_class(
    name: str, values: np.ndarray | None, labels: np.ndarray, classes: Sequence[str]
) -> str:
    """Say what is usual in each of the first classes: the commonest kind, or the median.

    Parameters
    ----------
    name
        Name of the property.
    values
        (n,): text or numbers; None: nothing is said.
    labels
        (n,): class numbers.
    classes
        Names by class number.
    """
    if values is None:
        return ""
    usual = []
    for number, label in enumerate(classes[:_MOST_CLASSES]):
        own = values[labels == number]
        if name in CATEGORICAL:
            kinds, counts = np.unique(own, return_counts=True)
            usual.append(f"{label} {kinds[counts.argmax()]} in {counts.max() / len(own):.0%}")
        else:
            usual.append(f"{label} {np.median(own):.3g}")
    return ("" if name in CATEGORICAL else "median ") + ", ".join(usual)


def describe_mark(
    mark: Mark, traits: Sequence[ImageTraits], labels: np.ndarray, classes: Sequence[str]
) -> str:
    """Say which class has what of a mark, and where.

    Parameters
    ----------
    mark
        What `find_marks` found.
    traits
        (n,): of the images.
    labels
        (n,): class numbers.
    classes
        Names by class number.
    """
    name = classes[mark.label]
    own = labels == mark.label
    if mark.weights is not None:
        more = mark.weights.sum() > 0
        which = name if more else _others(mark.label, classes)
        return f"more in {which}, {place_of(np.abs(mark.weights))}"
    if mark.name == "levels":
        ends = np.array([[one.levels[2], one.levels[4]] for one in traits])
        low, high = (per_class("", column, labels, classes) for column in ends.T)
        return f"darkest {low}; brightest {high}"
    if mark.name == "sharpness":
        fine = np.array([one.bands[-4:].mean() - one.bands[:3].mean() for one in traits])
        finer = np.median(fine[own]) > np.median(fine[~own])
        which = name if finer else _others(mark.label, classes)
        return f"more fine than coarse detail in {which}"
    if mark.name == "compression":
        missing = np.array([one.grain[7] for one in traits])
        which = name if _gap(missing, own) > 0 else _others(mark.label, classes)
        return f"fewer small details in blocks of 8 x 8 pixels, as of a lower quality, in {which}"
    noise = np.array([one.grain[3] - one.grain[5] for one in traits])
    which = name if _gap(noise, own) > 0 else _others(mark.label, classes)
    return f"larger differences of neighbouring pixels in {which}"


def class_means(traits: Sequence[ImageTraits], labels: np.ndarray) -> np.ndarray:
    """Return the mean edges of each class beside the rest of each image, (classes, 48, 48)."""
    maps = np.log1p(np.array([one.edges for one in traits], np.float32))
    maps -= np.median(maps, axis=(1, 2), keepdims=True)
    return np.stack([maps[labels == label].mean(axis=0) for label in range(labels.max() + 1)])


def place_of(weights: np.ndarray) -> str:
    """Name where the heaviest of (side, side) weights are, such as bottom right."""
    heavy = np.where(weights >= _HEAVY * weights.max(), weights, 0)
    thirds = np.array([[part.sum() for part in np.array_split(row, 3, axis=1)]
                       for row in np.array_split(heavy, 3, axis=0)]) / heavy.sum()  # fmt: skip
    if thirds.max() >= _GATHERED:
        row, column = np.unravel_index(thirds.argmax(), thirds.shape)
        return _PLACES[row][column]
    for names, shares in (
        (("along the top", "across the middle", "along the bottom"), thirds.sum(axis=1)),
        (("along the left", "down the middle", "along the right"), thirds.sum(axis=0)),
    ):
        if shares.max() >= 2 * _GATHERED * 0.8:
            return names[int(shares.argmax())]
    return "at several places"


def _others(label: int, classes: Sequence[str]) -> str:
    return classes[1 - label] if len(classes) == 2 else "the other classes"


def _gap(values: np.ndarray, own: np.ndarray) -> float:
    """Return the difference of the class from the rest, in standard deviations."""
    return float((values[own].mean() - values[~own].mean()) / (values.std() + 1e-9))
