"""Near-duplicate clusters: images far more alike than their class is, such as slices of a subject.

A network that has seen one image of a cluster recognises the others. The check measures this with
the simplest of all classifiers: the nearest neighbour on small raw pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from gellib.data.duplicates.groups import components
from gellib.data.duplicates.threads import batches, in_threads

SIDE = 32
CLUSTER_FOLDS = 5
# No benchmark set the five thresholds below: they were chosen by hand. Two things guard them.
# tests/data/test_duplicates.py has simulated subjects that must be found and classes that must
# not; `tests/benchmarks/duplicates.py quiet` counts false alarms on 100 clean simulated sets.
#
# Images are linked if they are more alike than this quantile over all images of the similarity to
# the nearest image of another class. It is not 1, because a wrong label can put an image of a
# cluster into another class.
_OTHER_CLASS_QUANTILE = 0.995
# A cluster that holds more than this share of its class means that the class looks alike.
_MAX_CLASS_SHARE = 0.34
# Clusters are reported as a leak if accuracy drops at least this much without them, if they hold
# at least this share of all images, and if accuracy in a random split is at least this high.
_MIN_ACCURACY_GAP = 0.15
_MIN_IMAGE_SHARE = 0.3
_MIN_RANDOM_ACCURACY = 0.85
# Links kept per image: enough to connect a large cluster. Chosen by hand, to bound memory.
_MAX_LINKS = 8
_BLOCK = 256


@dataclass(frozen=True)
class Clusters:
    """Near-duplicate clusters and the evidence that they leak.

    `groups` holds the positions of the images of each cluster. `nn_random` is the accuracy (0 to 1)
    of the nearest neighbour on small raw pixels in a random split, `nn_grouped` the accuracy where
    each cluster stays in one split (or each group of duplicates, if there are no clusters), and
    `chance` the accuracy of always predicting the largest class. The first two are None where they
    cannot be measured.
    """

    groups: tuple[tuple[int, ...], ...] = ()
    nn_random: float | None = None
    nn_grouped: float | None = None
    chance: float = 0.0

    def sentence(self) -> str:
        """Describe the leak in one text; empty if there is none."""
        if not self.groups:
            return ""
        n = sum(map(len, self.groups))
        return (
            f"{n} images form {len(self.groups)} near-duplicate clusters, such as slices of one "
            f"subject: the nearest neighbour on {SIDE} x {SIDE} raw pixels is right on "
            f"{self.nn_random:.0%} of the images in a random split, but on {self.nn_grouped:.0%} "
            "if each cluster stays in one split (always predicting the largest class: "
            f"{self.chance:.0%}). The difference is the leak: a random split tests memory. Give "
            "each subject a name in the column group of labels.csv (gellib check --groups FILE "
            "drafts one)."
        )


def find_clusters(
    thumbnails: np.ndarray,
    labels: Sequence[int],
    duplicates: Sequence[Sequence[int]] = (),
    *,
    seed: int = 0,
) -> Clusters:
    """Find near-duplicate clusters, and measure whether they leak between splits.

    How alike unrelated images are is measured on pairs of different classes. Clusters that do not
    leak are not reported, such as a class whose images all look alike.

    Parameters
    ----------
    thumbnails
        Small grey images, (n, 64, 64), grey levels 0 to 255.
    labels
        Class number of each image, n.
    duplicates
        Positions of the images of each group of duplicates.
    seed
        Seed of the folds.
    """
    numbers = np.asarray(labels)
    n = len(numbers)
    counts = np.bincount(numbers) if n else np.zeros(0, int)
    if n < 2 * CLUSTER_FOLDS or (counts > 0).sum() < 2:
        return Clusters()
    chance = float(counts.max() / n)
    vectors = _vectors(thumbnails)
    own = _group_numbers(n, duplicates)
    links = _similar_pairs(vectors, numbers)
    connected = components([*links, *_pairs_of(duplicates)])
    random = StratifiedKFold(CLUSTER_FOLDS, shuffle=True, random_state=seed)
    if counts[counts > 0].min() < CLUSTER_FOLDS:
        return Clusters(chance=chance)
    grouped = StratifiedGroupKFold(CLUSTER_FOLDS, shuffle=True, random_state=seed)

    def fold(groups: np.ndarray) -> np.ndarray:
        return _fold_of(grouped.split(vectors, numbers, groups), n)

    at_random = _fold_of(random.split(vectors, numbers), n)
    nn_random, nn_own = _nearest_accuracies(vectors, numbers, at_random, fold(own))

    large = [rows for rows in connected if len(rows) > 2]
    in_clusters = sum(map(len, large))
    # One class may have a single subject; if most clusters are this large, they are classes.
    too_large = sum(
        len(rows)
        for rows in large
        if len(rows) > _MAX_CLASS_SHARE * counts[np.bincount(numbers[rows]).argmax()]
    )
    if too_large <= in_clusters / 2 and in_clusters >= _MIN_IMAGE_SHARE * n:
        apart = fold(_group_numbers(n, connected))
        (nn_grouped,) = _nearest_accuracies(vectors, numbers, apart)
        if nn_random >= _MIN_RANDOM_ACCURACY and nn_random - nn_grouped >= _MIN_ACCURACY_GAP:
            groups = tuple(tuple(rows) for rows in large)
            return Clusters(groups, nn_random, nn_grouped, chance)
    return Clusters((), nn_random, nn_own, chance)


def _vectors(thumbnails: np.ndarray) -> np.ndarray:
    """Return small raw pixels minus their mean over the set, (n, SIDE * SIDE), each of length 1."""
    n, full = thumbnails.shape[:2]
    factor = full // SIDE
    small = np.asarray(thumbnails, np.float32).reshape(n, SIDE, factor, SIDE, factor)
    small = small.mean(axis=(2, 4)).reshape(n, -1)
    small -= small.mean(axis=1, keepdims=True)
    small /= np.maximum(small.std(axis=1, keepdims=True), 1e-3)
    small -= small.mean(axis=0)
    return small / np.maximum(np.linalg.norm(small, axis=1, keepdims=True), 1e-6)


def _similar_pairs(vectors: np.ndarray, labels: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of one class that are more alike than images of different classes are."""
    most = min(_MAX_LINKS, len(vectors) - 1)

    def block(rows: np.ndarray) -> tuple[np.ndarray, ...]:
        similarity = vectors[rows] @ vectors.T
        same = labels[rows][:, None] == labels
        other = np.where(same, np.float32(-1), similarity).max(axis=1)
        similarity[~same] = -1
        similarity[np.arange(len(rows)), rows] = -1
        near = np.argpartition(-similarity, most - 1, axis=1)[:, :most]
        return other, near, np.take_along_axis(similarity, near, axis=1)

    found = in_threads(block, _blocks(len(vectors)))
    other, near, values = map(np.concatenate, zip(*found, strict=True))
    row, place = np.nonzero(values > float(np.quantile(other, _OTHER_CLASS_QUANTILE)))
    return list(zip(row.tolist(), near[row, place].tolist(), strict=True))


def _nearest_accuracies(vectors: np.ndarray, labels: np.ndarray, *folds: np.ndarray) -> list[float]:
    """Return how often the nearest image of another fold has the label, for each set of folds."""

    def block(rows: np.ndarray) -> list[int]:
        similarity = vectors[rows] @ vectors.T
        right = []
        for fold in folds:
            apart = np.where(fold[rows][:, None] == fold, np.float32(-2), similarity)
            right.append(int((labels[apart.argmax(axis=1)] == labels[rows]).sum()))
        return right

    counts = in_threads(block, _blocks(len(vectors)))
    return [sum(right) / len(vectors) for right in zip(*counts, strict=True)]


def _fold_of(folds: Iterable[tuple[np.ndarray, np.ndarray]], n: int) -> np.ndarray:
    fold = np.empty(n, int)
    for number, (_, test) in enumerate(folds):
        fold[test] = number
    return fold


def _group_numbers(n: int, groups: Sequence[Sequence[int]]) -> np.ndarray:
    """Number the groups; an image in no group has a number of its own."""
    numbers = np.arange(n)
    for rows in groups:
        numbers[list(rows)] = min(rows)
    return numbers


def _pairs_of(groups: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(rows[0], row) for rows in groups for row in rows[1:]]


def _blocks(n: int) -> list[np.ndarray]:
    return batches(np.arange(n), _BLOCK)
