"""How the score grows with the number of images: subsets of growing size, trained and tested.

Solved heads on features that are there already make it cheap: in each of several cross-validations,
nested subsets of the training images, whole groups and all classes alike, train one logistic
regression each, and the images of the fold test them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

CURVE_FOLDS = 5
# Twenty draws of each size, four of which test each image.
CURVE_REPEATS = 4
# Shares of the training images, each about 1.4 times the one before.
CURVE_SHARES = (0.125, 0.177, 0.25, 0.354, 0.5, 0.707, 1.0)
LEAST_IMAGES = 10
# With fewer sizes there is no curve to be seen.
LEAST_SIZES = 4
# As the optimiser lbfgs of a run has them.
_C, _ITERATIONS, _LEAST_DEVIATION = 0.01, 2000, 0.01
_STREAM = 0x6C63  # keeps these draws apart from others with the same seed


@dataclass(frozen=True)
class LearningCurve:
    """Scores of heads trained on subsets of growing size.

    Attributes
    ----------
    sizes
        Mean number of training images, (S,), rising.
    scores
        Score of each image, (S, R, N): by size and repeat; 1 where it was predicted right, the F1
        of its labels in a multi-label task.
    groups
        Number of the group of each image, (N,).
    chance
        The score of guesses that only know the shares of the classes.
    """

    sizes: np.ndarray
    scores: np.ndarray
    groups: np.ndarray
    chance: float = 0.0

    @property
    def means(self) -> np.ndarray:
        """Mean score at each size, (S,)."""
        return self.scores.mean(axis=(1, 2))

    @property
    def n(self) -> int:
        """Number of images."""
        return self.scores.shape[2]


def measure_learning_curve(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    repeats: int = CURVE_REPEATS,
    seed: int = 0,
) -> LearningCurve | None:
    """Measure the score at growing numbers of training images.

    Parameters
    ----------
    features
        Features (N, d).
    targets
        Class numbers (N,), or 0 and 1 (N, C) in a multi-label task.
    groups
        Number of the group of each image, (N,); a group is in one fold, and taken whole.
    repeats
        Cross-validations; each image is tested once in each.
    seed
        Seed of folds and subsets.

    Returns
    -------
    LearningCurve or None
        None where there are too few images or groups for a curve.
    """
    groups = np.unique(groups, return_inverse=True)[1].reshape(-1)
    strata = targets if targets.ndim == 1 else np.zeros(len(targets), int)
    if groups.max(initial=-1) + 1 < 2 * CURVE_FOLDS:
        return None
    pool = len(targets) * (1 - 1 / CURVE_FOLDS)
    shares = [share for share in CURVE_SHARES if round(share * pool) >= LEAST_IMAGES]
    if len(shares) < LEAST_SIZES:
        return None
    rng = np.random.default_rng([seed, _STREAM])
    scores = np.zeros((len(shares), repeats, len(targets)))
    sizes = np.zeros((len(shares), repeats, CURVE_FOLDS))
    features = np.asarray(features, dtype=np.float64)
    with threadpool_limits(1):  # the result must not depend on the number of threads
        for repeat in range(repeats):
            folds = _deal(_interleave(strata, groups, rng), groups)
            for fold in range(CURVE_FOLDS):
                test = np.flatnonzero(folds == fold)
                train = np.flatnonzero(folds != fold)
                order = train[_rows_by_unit(_interleave(strata[train], groups[train], rng))]
                for i, share in enumerate(shares):
                    rows = _whole_groups(order, groups, round(share * len(order)))
                    sizes[i, repeat, fold] = len(rows)
                    scores[i, repeat, test] = _score(features, targets, rows, test)
    of_classes = np.bincount(targets) / len(targets) if targets.ndim == 1 else np.zeros(1)
    return LearningCurve(sizes.mean(axis=(1, 2)), scores, groups, float((of_classes**2).sum()))


def _interleave(
    strata: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """Order units, each the rows of one group, at random, but so that any prefix has all classes.

    A unit belongs to the class that it has the largest part of, so that a few images of another
    class in a group do not make it one of that class.
    """
    order = np.argsort(groups, kind="stable")
    units = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    sizes = np.maximum(np.bincount(strata), 1)
    counts = [np.bincount(strata[unit], minlength=len(sizes)) for unit in units]
    own = (np.array(counts) / sizes).argmax(axis=1)
    place = np.empty(len(units))
    for stratum in np.unique(own):
        members = rng.permutation(np.flatnonzero(own == stratum))
        place[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return [units[i] for i in np.argsort(place, kind="stable")]


def _rows_by_unit(units: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(units)


def _deal(units: list[np.ndarray], groups: np.ndarray) -> np.ndarray:
    """Deal units out to folds, each to the smallest so far; return the fold of each row."""
    folds, held = np.empty(len(groups), int), np.zeros(CURVE_FOLDS, int)
    for unit in units:
        fold = int(held.argmin())
        folds[unit] = fold
        held[fold] += len(unit)
    return folds


def _whole_groups(order: np.ndarray, groups: np.ndarray, size: int) -> np.ndarray:
    """Return the first `size` rows, and the rest of the last one's group."""
    end = size
    while end < len(order) and groups[order[end]] == groups[order[end - 1]]:
        end += 1
    return order[:end]


def _score(
    features: np.ndarray, targets: np.ndarray, train: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Train on some rows and score others, (len(test),)."""
    x, x_test = _reduce(features[train], features[test])
    y, y_test = targets[train], targets[test]
    if targets.ndim == 1:
        return (_decide(x, y, x_test) == y_test).astype(float)
    given = np.stack([_decide(x, column, x_test) for column in y.T], axis=1)
    hits = (given * y_test).sum(axis=1)
    total = given.sum(axis=1) + y_test.sum(axis=1)
    return np.where(total > 0, 2 * hits / np.maximum(total, 1), 1.0)


def _decide(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    if (y == y[0]).all():
        return np.full(len(x_test), y[0])
    model = LogisticRegression(C=_C, max_iter=_ITERATIONS).fit(x, y)
    return np.asarray(model.predict(x_test))


def learned_probabilities(
    features: np.ndarray, labels: np.ndarray, train: np.ndarray, rows: np.ndarray, classes: int
) -> np.ndarray:
    """Solve a head on some rows, and return the probabilities of others, (len(rows), classes).

    Parameters
    ----------
    features
        Features of all images, (N, d).
    labels
        Their class numbers, (N,).
    train, rows
        Rows to train on, and to predict.
    classes
        Number of classes; one that is not among the rows to train on has a probability of 0.
    """
    found = np.zeros((len(rows), classes))
    x, x_new = _reduce(features[train], features[rows])
    if (labels[train] == labels[train][0]).all():
        found[:, labels[train][0]] = 1
        return found
    model = LogisticRegression(C=_C, max_iter=_ITERATIONS).fit(x, labels[train])
    found[:, model.classes_] = model.predict_proba(x_new)
    return found


def _reduce(x: np.ndarray, x_test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standardise by the training rows, and turn into as many dimensions as there are rows.

    The optimum with a squared penalty lies in the span of the training rows, so that fewer
    coordinates give the same predictions, sooner.
    """
    mean, deviation = x.mean(0), x.std(0)
    deviation = np.maximum(deviation, max(_LEAST_DEVIATION * deviation.max(), 1e-12))
    x, x_test = (x - mean) / deviation, (x_test - mean) / deviation
    if len(x) >= x.shape[1]:
        return x, x_test
    values, vectors = eigh(x @ x.T)
    kept = values > 1e-10 * max(values[-1], 1e-12)
    if not kept.any():
        return np.zeros((len(x), 1)), np.zeros((len(x_test), 1))
    basis = vectors[:, kept] / np.sqrt(values[kept])
    turn = x.T @ basis
    return x @ turn, x_test @ turn
