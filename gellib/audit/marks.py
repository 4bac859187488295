"""Marks inside images: how well levels, sharpness or edges alone tell the classes apart.

Each detector is a linear classifier of one kind of trait, cross-validated. The permutation test is
over all detectors and classes together, so that the share of false alarms holds for the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter
from scipy.stats import rankdata

from gellib.data.duplicates.image_traits import CELLS, ImageTraits

# Share of the cells that a classifier of cells uses: those that differ most between the classes.
_CELL_SHARE = {"overlay": 0.01, "area": 0.01}
# Rows and columns of cells of the areas, such as a line of text; they overlap by half.
_AREAS = ((3, 10), (6, 6), (10, 3))
# Cells around one with whose median it is compared, so that content, which is wider, cancels out.
_AROUND = 7
# Ridge, as a share of the mean variance of a trait.
_RIDGE = 0.01
# A cell's spread is at least this share of the spread of all cells, so that a corner that is empty
# in all images does not count as a perfect witness.
_LEAST_SPREAD = 0.1
# Permutations: at first, where the p of these is small, and for all classes together.
_FIRST_DRAWS, _DRAWS, _DRAWS_OF_CLASSES = 99, 499, 2000
_WORTH_MORE = 0.1
# More images are sampled: a mark that a thousand do not show is none that a network would learn.
MOST_IMAGES = 1000


@dataclass(frozen=True)
class Mark:
    """How well one kind of trait tells one class from the others.

    `auc` is the cross-validated ROC AUC; `p` the share of random permutations of the labels in
    which any kind of trait does as well for any class, in standard deviations; `label` the class.
    `weights`, (48, 48), says for cells how much each counts, above 0 where `label` has more.
    """

    name: str
    auc: float
    p: float
    label: int
    weights: np.ndarray | None = None


def find_marks(traits: Sequence[ImageTraits], labels: np.ndarray, fold: np.ndarray,
               rng: np.random.Generator) -> list[Mark]:  # fmt: skip
    """Measure each kind of trait as a classifier.

    Parameters
    ----------
    traits
        Of n images that are independent of each other.
    labels
        (n,): class numbers 0, 1, ..., each with images in every fold or nearly.
    fold
        (n,): fold of each image; its class is predicted from the images of the others.
    rng
        Draws the permutations.
    """
    kinds = _traits_by_kind(traits)
    n_classes = int(labels.max()) + 1
    targets = [1] if n_classes == 2 else list(range(n_classes))
    draws = int(np.clip(_DRAWS_OF_CLASSES // len(targets), _FIRST_DRAWS, _DRAWS))
    aucs = _aucs(kinds, labels[:, None], targets, fold)
    chance = _aucs(kinds, permutations(_FIRST_DRAWS, labels, fold, rng), targets, fold)
    if min(_adjusted(aucs, chance)[1]) <= _WORTH_MORE:
        more = permutations(draws - _FIRST_DRAWS, labels, fold, rng)
        chance = np.concatenate([chance, _aucs(kinds, more, targets, fold)], axis=2)
    found = []
    places, p_values = _adjusted(aucs, chance)
    for kind, (name, place, p) in enumerate(zip(kinds, places, p_values, strict=True)):
        label, weights = targets[place], None
        if name in _CELL_SHARE:
            own = (labels == label)[:, None]
            weights = _weights(_scaled(kinds[name]), own, _CELL_SHARE[name])
            weights = _as_cells(name, weights[:, 0])
        auc = round(float(aucs[kind, place, 0]), 4)
        found.append(Mark(name, auc, round(p, 4), label, weights))
    return found


def permutations(
    draws: int, labels: np.ndarray, fold: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Shuffle the labels several times within folds.

    Parameters
    ----------
    draws
        How often.
    labels, fold
        Labels and folds of the images, (n,).
    rng
        Shuffles.

    Returns
    -------
    np.ndarray
        Shuffled labels, (n, draws).
    """
    drawn = [permute(labels, fold, rng) for _ in range(draws)]
    return np.stack(drawn, axis=1) if drawn else np.empty((len(labels), 0), labels.dtype)


def permute(labels: np.ndarray, fold: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the labels within folds, so that each keeps its share of the classes."""
    shuffled = labels.copy()
    for place in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold == place)
        shuffled[rows] = rng.permutation(labels[rows])
    return shuffled


def fold_aucs(scores: np.ndarray, own: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return the mean AUC over the folds of each column of scores (n, m) for `own` (n, m)."""
    total, folds = np.zeros(scores.shape[1]), 0
    for number in range(int(fold.max()) + 1):
        rows = fold == number
        yes = own[rows].sum(axis=0)
        pairs = yes * (rows.sum() - yes)
        if not pairs.all():
            continue
        ranks = rankdata(scores[rows].round(6), axis=0)
        total += ((ranks * own[rows]).sum(axis=0) - yes * (yes + 1) / 2) / pairs
        folds += 1
    return total / folds if folds else np.full(scores.shape[1], 0.5)


def _aucs(
    kinds: dict[str, np.ndarray], labels: np.ndarray, targets: list[int], fold: np.ndarray
) -> np.ndarray:
    """Return the AUC of each kind of trait, target class and column, (kinds, targets, m).

    Parameters
    ----------
    kinds
        (n, d) values of each kind.
    labels
        (n, m): class numbers, in columns.
    targets
        Classes that are told from all others.
    fold
        (n,): fold of each image.
    """
    own = np.concatenate([labels == label for label in targets], axis=1)
    found = []
    for name, values in kinds.items():
        if name in _CELL_SHARE:
            scores = _cell_scores(values, own, fold, _CELL_SHARE[name])
        else:
            scores = _linear_scores(values, own, fold)
        found.append(fold_aucs(scores, own, fold).reshape(len(targets), -1))
    return np.stack(found)


def _adjusted(aucs: np.ndarray, chance: np.ndarray) -> tuple[list[int], list[float]]:
    """Return for each kind the target that stands out most, and p over all kinds and targets.

    An AUC counts in standard deviations of the permutations: kinds of many traits vary more.
    """
    middle, spread = chance.mean(axis=2, keepdims=True), chance.std(axis=2, keepdims=True) + 1e-9
    best_by_chance = ((chance - middle) / spread).max(axis=(0, 1))
    deviations = ((aucs - middle) / spread)[:, :, 0]
    as_good = (best_by_chance >= deviations.max(axis=1)[:, None] - 1e-9).sum(axis=1)
    places = [int(place) for place in deviations.argmax(axis=1)]
    return places, [float(p) for p in (as_good + 1) / (len(best_by_chance) + 1)]


def _traits_by_kind(traits: Sequence[ImageTraits]) -> dict[str, np.ndarray]:
    """Return (n, d) values of each kind; cells are compared with those around."""
    around = (1, _AROUND, _AROUND)
    edges = np.log1p(np.array([one.edges for one in traits], np.float32))
    local = edges - median_filter(edges, around)
    edges = edges - np.median(edges, axis=(1, 2), keepdims=True)
    return {
        "levels": np.array([one.levels for one in traits], float),
        "sharpness": np.array([one.bands for one in traits], float),
        "grain": np.array([one.grain for one in traits], float),
        "overlay": local.reshape(len(traits), -1),
        "area": _area_means(edges),
    }


def _areas() -> np.ndarray:
    """Return first row, end row, first column and end column of each area, (areas, 4)."""
    return np.array(
        [
            (row, row + high, column, column + wide)
            for high, wide in _AREAS
            for row in range(0, CELLS - high + 1, high // 2)
            for column in range(0, CELLS - wide + 1, wide // 2)
        ]
    )


def _area_means(cells: np.ndarray) -> np.ndarray:
    """Return the mean of each area of (n, side, side) cells, (n, areas)."""
    sums = np.pad(cells.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    top, bottom, left, right = _areas().T
    total = sums[:, bottom, right] - sums[:, top, right]
    total = total - sums[:, bottom, left] + sums[:, top, left]
    return total / ((bottom - top) * (right - left))


def _as_cells(name: str, weights: np.ndarray) -> np.ndarray:
    """Return weights of cells or areas as a map of cells, (side, side)."""
    if name != "area":
        return weights.reshape(CELLS, CELLS)
    found = np.zeros((CELLS, CELLS), np.float32)
    for weight, (top, bottom, left, right) in zip(weights, _areas(), strict=True):
        found[top:bottom, left:right] += weight
    return found


def _linear_scores(values: np.ndarray, own: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Predict every column of `own` (n, m) by ridge regression on values (n, d)."""
    values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
    scores = np.zeros(own.shape)
    for number in range(int(fold.max()) + 1):
        test = fold == number
        known = values[~test] - values[~test].mean(axis=0)
        products = known.T @ known
        ridge = _RIDGE * np.trace(products) / len(products) + 1e-9
        wanted = own[~test] - own[~test].mean(axis=0)
        weights = np.linalg.solve(products + ridge * np.eye(len(products)), known.T @ wanted)
        scores[test] = values[test] @ weights
    return scores


def _cell_scores(values: np.ndarray, own: np.ndarray, fold: np.ndarray, share: float) -> np.ndarray:
    """Predict every column of `own` (n, m) by the few cells (n, cells) that differ most."""
    cells = _scaled(values)
    scores = np.zeros(own.shape, np.float32)
    for number in range(int(fold.max()) + 1):
        test = fold == number
        scores[test] = cells[test] @ _weights(cells[~test], own[~test], share)
    return scores


def _scaled(values: np.ndarray) -> np.ndarray:
    spread = values.std(axis=0) + _LEAST_SPREAD * values.std() + 1e-6
    return ((values - values.mean(axis=0)) / spread).astype(np.float32)


def _weights(cells: np.ndarray, own: np.ndarray, share: float) -> np.ndarray:
    """Return the difference of the class means in the cells that differ most; others are 0."""
    wanted = own.astype(np.float32)
    of_class = np.maximum(wanted.sum(axis=0), 1)
    weights = cells.T @ (wanted / of_class - (1 - wanted) / np.maximum(len(own) - of_class, 1))
    place = int((1 - share) * len(weights))
    least = np.partition(np.abs(weights), place, axis=0)[place]
    weights[np.abs(weights) < least] = 0
    return weights
