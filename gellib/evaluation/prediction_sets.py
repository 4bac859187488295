"""Prediction sets: the classes that an image may have, so that 95 % of sets hold the true one.

The method is cross-conformal (Vovk 2015), class by class (Mondrian) and over groups: the threshold
of a class is the probability that all but 5 % of its images reach when their class is predicted by
a model that has seen neither them nor their group (`conformal`). It needs 19 groups of a class.

Neither MAPIE, which fits scikit-learn estimators in folds of its own, nor crepes, which counts all
images alike, takes out-of-fold probabilities with repeats and groups, or keeps one number per
class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gellib.evaluation.conformal import conformal_limit, fewest_groups
from gellib.evaluation.resampling import group_numbers
from gellib.evaluation.task import task_of_targets

SET_LEVEL = 0.95
NONE_OF_THESE = "none of these"
NONE_OF_LABELS = "none of the labels"
# Probabilities that should be equal differ in their last digits between machines.
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class PredictionSetRule:
    """Which classes an image may have, from its probabilities.

    Attributes
    ----------
    thresholds
        (C,) a class is in the set where its probability reaches its threshold. Of a class with too
        few images for a promise it is 1 - `level`, such as 0.05.
    groups
        (C,) independent images of each class that the thresholds rest on.
    level
        Share of the images of a class whose set is to contain it.
    source
        Where the probabilities are from: `out-of-fold` or `validation`.
    """

    thresholds: tuple[float, ...]
    groups: tuple[int, ...]
    level: float = SET_LEVEL
    source: str = "out-of-fold"

    @property
    def supported(self) -> tuple[bool, ...]:
        """Whether each class has enough images for the level."""
        return tuple(n >= fewest_groups(1 - self.level) for n in self.groups)

    def apply(self, probabilities: np.ndarray, *, exclusive: bool = True) -> np.ndarray:
        """Return booleans (n, C): which classes each image may have.

        A set that is not empty has the most probable class in it, where one class excludes the
        others. An empty one means that the image is less like each class than 95 % of its images.
        """
        p = np.asarray(probabilities, dtype=float)
        sets = p >= np.asarray(self.thresholds) - _TOLERANCE
        if exclusive:
            rows = np.flatnonzero(sets.any(axis=1))
            sets[rows, p[rows].argmax(axis=1)] = True
        return sets

    def unsupported(self, classes: Sequence[str]) -> dict[str, int]:
        """Name the classes that have too few images for the level, and how many they have."""
        named = zip(classes, self.groups, self.supported, strict=True)
        return {name: n for name, n, enough in named if not enough}

    def warning(self, classes: Sequence[str]) -> str:
        """Say which classes have too few images for the level; empty where none has."""
        few = self.unsupported(classes)
        if not few:
            return ""
        kind = "validation images" if self.source == "validation" else "images"
        counts = ", ".join(f"{name} has {n}" for name, n in few.items())
        return (
            f"Prediction sets hold the true class of {self.level:.0%} of images where a class has "
            f"{fewest_groups(1 - self.level)} or more independent {kind}; nothing is promised for "
            f"others: {counts}"
        )

    def metadata(self) -> dict[str, Any]:
        """Return the rule as plain values, for the file of the model."""
        return {
            "thresholds": list(self.thresholds),
            "groups": list(self.groups),
            "level": self.level,
            "source": self.source,
        }

    @classmethod
    def load(cls, metadata: Mapping[str, Any]) -> PredictionSetRule:
        """Rebuild a rule from its `metadata`."""
        return cls(
            tuple(metadata["thresholds"]),
            tuple(metadata["groups"]),
            metadata["level"],
            metadata["source"],
        )


def fit_prediction_sets(
    truth: np.ndarray,
    probabilities: np.ndarray,
    groups: Sequence[object] | np.ndarray | None = None,
    *,
    level: float = SET_LEVEL,
    source: str = "out-of-fold",
) -> PredictionSetRule:
    """Fit the threshold of each class.

    Parameters
    ----------
    truth
        (n,) class numbers, or (n, C) of 0 and 1 where an image has several labels; then each label
        of an image is in its set with the probability `level`.
    probabilities
        (n, C), or (R, n, C) of R repeats of a cross-validation, each from a model that has not seen
        the image; NaN where a repeat has none. Repeats are better than their mean: the model that
        predicts new images is one, and varies as one.
    groups
        (n,) names or numbers of groups; None, and the empty name: an image by itself.
    level
        Share of the images of a class whose set is to contain it.
    source
        `out-of-fold` or `validation`.

    Raises
    ------
    ValueError
        When the shapes do not agree, or the level is not between 0 and 1.
    """
    p = np.asarray(probabilities, dtype=float)
    p = p[None] if p.ndim == 2 else p
    truth = np.asarray(truth)
    if p.ndim != 3 or p.shape[1] != len(truth) or not 0 < level < 1:
        raise ValueError(
            f"prediction sets: got probabilities {np.shape(probabilities)} of {len(truth)} images "
            f"at level {level}; expected (images, classes) or (repeats, images, classes), and a "
            "level between 0 and 1"
        )
    member = task_of_targets(truth).memberships(truth, p.shape[2])
    numbers = group_numbers(None if groups is None else list(groups), len(truth))
    fitted = [
        conformal_limit(-p[:, rows, c], numbers[rows], 1 - level)
        for c, rows in enumerate(member.T.astype(bool))
    ]
    # Nothing can be promised of a class without a limit: it is in the sets of images that may well
    # have it. (To keep the promise it would have to be in all, and no set would say anything.)
    thresholds = tuple(-limit if np.isfinite(limit) else 1 - level for limit, _ in fitted)
    return PredictionSetRule(thresholds, tuple(n for _, n in fitted), float(level), source)


def set_text(label: str, members: Sequence[str], *, exclusive: bool = True) -> str:
    """Say in words what an image may be: `gel`, or `gel or not_gel: cannot say`.

    Parameters
    ----------
    label
        The most probable class; with several labels per image, the labels that are given.
    members
        The classes of the set. Where there is none, the image is less like each class than 95 % of
        its images: `gel or none of these: cannot say`.
    exclusive
        Whether one class excludes the others.
    """
    if not exclusive:
        return f"possible: {', '.join(members)}" if members else NONE_OF_LABELS
    if list(members) == [label]:
        return label
    others = [name for name in members if name != label] if members else [NONE_OF_THESE]
    return f"{' or '.join([label, *others])}: cannot say"
