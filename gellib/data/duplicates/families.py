"""Families: images that look far more alike than their class does, such as slices of one subject.

A network that has seen one of a family knows the others. Whether that is so is measured with the
simplest of all classifiers: the nearest neighbour on small raw pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from gellib.data.duplicates.groups import components

SIDE = 32
FOLDS = 5
# Nearly all images are less alike than this to their nearest image of another class: what is more
# alike is family. Not quite all, for a wrong label may have put one of a family elsewhere.
_STRANGERS = 0.995
# A cluster that holds more of its class than this says that the class looks alike, not a subject.
_MOST_OF_CLASS = 0.34
# Families count as a leak from this much loss of accuracy, and if they hold this share of the set.
_LEAST_GAP = 0.15
_LEAST_SHARE = 0.3
_NEAR_PERFECT = 0.85
_BLOCK = 512


@dataclass(frozen=True)
class Families:
    """Families and the evidence that they leak.

    `groups` are positions of the images of each. `nn_random` is the accuracy of the nearest
    neighbour on small raw pixels where a split tears families apart, `nn_grouped` where it keeps
    them whole (without families: duplicates), `chance` that of naming the largest class; the first
    two are None where they cannot be measured.
    """

    groups: tuple[tuple[int, ...], ...] = ()
    nn_random: float | None = None
    nn_grouped: float | None = None
    chance: float = 0.0

    def sentence(self) -> str:
        """The leak in words; empty where there is none."""
        if not self.groups:
            return ""
        n = sum(map(len, self.groups))
        return (
            f"{n} images form {len(self.groups)} families of look-alikes, such as slices of one "
            f"subject: the nearest neighbour on {SIDE} x {SIDE} raw pixels is right on "
            f"{self.nn_random:.0%} of the images in a random split, but on {self.nn_grouped:.0%} "
            f"where families stay together (the largest class alone: {self.chance:.0%}). "
            "The difference is the leak: a random split tests memory. Give each subject a name in "
            "the column group of labels.csv (gellib check --groups FILE drafts one)."
        )


def find_families(
    pictures: np.ndarray,
    labels: Sequence[int],
    duplicates: Sequence[Sequence[int]] = (),
    *,
    seed: int = 0,
) -> Families:
    """Look for families among small grey pictures (n, 64, 64), and measure whether they leak.

    How alike images are that have nothing to do with each other is read off pairs of different
    classes. What does not leak is no family: a class whose images all look alike is none.
    """
    numbers = np.asarray(labels)
    n = len(numbers)
    counts = np.bincount(numbers) if n else np.zeros(0, int)
    if n < 2 * FOLDS or (counts > 0).sum() < 2:
        return Families()
    chance = float(counts.max() / n)
    vectors = _vectors(pictures)
    own = _numbers(n, duplicates)
    links = _links(vectors, numbers)
    found = components([*links, *_pairs(duplicates)])
    random = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    if counts[counts > 0].min() < FOLDS:
        return Families(chance=chance)
    nn_random = _nearest(vectors, numbers, _fold_of(random.split(vectors, numbers), n))
    grouped = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)

    def accuracy(groups: np.ndarray) -> float:
        return _nearest(vectors, numbers, _fold_of(grouped.split(vectors, numbers, groups), n))

    large = [rows for rows in found if len(rows) > 2]
    in_clusters = sum(map(len, large))
    # A class may have a single subject; where most clusters are so large, they are the classes.
    too_large = sum(
        len(rows)
        for rows in large
        if len(rows) > _MOST_OF_CLASS * counts[np.bincount(numbers[rows]).argmax()]
    )
    if too_large <= in_clusters / 2 and in_clusters >= _LEAST_SHARE * n:
        nn_grouped = accuracy(_numbers(n, found))
        if nn_random >= _NEAR_PERFECT and nn_random - nn_grouped >= _LEAST_GAP:
            groups = tuple(tuple(rows) for rows in large)
            return Families(groups, nn_random, nn_grouped, chance)
    return Families((), nn_random, accuracy(own), chance)


def _vectors(pictures: np.ndarray) -> np.ndarray:
    """Small raw pixels less their mean over the set, which all have in common; length 1."""
    n, full = pictures.shape[:2]
    factor = full // SIDE
    small = np.asarray(pictures, np.float32).reshape(n, SIDE, factor, SIDE, factor)
    small = small.mean(axis=(2, 4)).reshape(n, -1)
    small -= small.mean(axis=1, keepdims=True)
    small /= np.maximum(small.std(axis=1, keepdims=True), 1e-3)
    small -= small.mean(axis=0)
    return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)


def _links(vectors: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of one class that are more alike than strangers are."""
    strangers = np.empty(len(vectors), np.float32)
    for rows in _blocks(len(vectors)):
        likeness = vectors[rows] @ vectors.T
        likeness[labels[rows][:, None] == labels] = -1
        strangers[rows] = likeness.max(axis=1)
    limit = float(np.quantile(strangers, _STRANGERS))
    links: list[tuple[int, int]] = []
    for rows in _blocks(len(vectors)):
        likeness = vectors[rows] @ vectors.T
        likeness[labels[rows][:, None] != labels] = -1
        likeness[np.arange(len(rows)), rows] = -1
        # Of a large family a few links each hold it together.
        most = min(8, len(vectors) - 1)
        near = np.argpartition(-likeness, most - 1, axis=1)[:, :most]
        row, place = np.nonzero(np.take_along_axis(likeness, near, axis=1) > limit)
        links += zip(rows[row].tolist(), near[row, place].tolist(), strict=True)
    return links


def _nearest(vectors: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> float:
    """Accuracy of the label of the nearest image outside the own fold."""
    right = 0
    for rows in _blocks(len(vectors)):
        likeness = vectors[rows] @ vectors.T
        likeness[fold[rows][:, None] == fold] = -2
        right += int((labels[likeness.argmax(axis=1)] == labels[rows]).sum())
    return right / len(vectors)


def _fold_of(folds, n: int) -> np.ndarray:
    fold = np.empty(n, int)
    for number, (_, test) in enumerate(folds):
        fold[test] = number
    return fold


def _numbers(n: int, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """A number of its own for each group, and for each image that is in none."""
    numbers = np.arange(n)
    for rows in groups:
        numbers[list(rows)] = min(rows)
    return numbers


def _pairs(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(rows[0], row) for rows in groups for row in rows[1:]]


def _blocks(n: int) -> list[np.ndarray]:
    return [np.arange(at, min(at + _BLOCK, n)) for at in range(0, n, _BLOCK)]
