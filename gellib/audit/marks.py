"""Marks inside images: how well levels, sharpness or edges alone tell the classes apart.

Levels, sharpness and grain are single numbers of an image, so nothing is trained: a rank-sum test
of each. Edges are a map: the cells in which the classes differ count. The permutation test is over
everything that is looked at and all classes together, so that the share of false alarms holds for
the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from gellib.audit.mark_values import edge_cells, scaled, single_numbers
from gellib.data.duplicates.image_traits import CELLS, ImageTraits

# Deviations from which a cell counts, and the share of the cells that then predict the class: for
# what is wide, such as a watermark, and for what is in few cells, such as a date.
_CELLS = ((2.0, 0.05), (3.0, 0.01))
# Permutations: at first, where the p of these is small, and for all classes together.
_FIRST_DRAWS, _DRAWS, _DRAWS_OF_CLASSES = 99, 999, 4000
_WORTH_MORE = 0.1
# More images are sampled: a mark that a thousand do not show is none that a network would learn.
MOST_COMPARED = 1000


@dataclass(frozen=True)
class Mark:
    """How well one kind of trait tells one class from the others.

    `auc` is the ROC AUC of the best single number of the kind; of edges it is cross-validated. `p`
    is the share of random permutations of the labels in which any kind of trait does as well for
    any class, in standard deviations; `label` the class. `weights`, (48, 48), says for cells how
    much each counts, above 0 where `label` has more.
    """

    name: str
    auc: float
    p: float
    label: int
    weights: np.ndarray | None = None


def find_marks(traits: Sequence[ImageTraits], labels: np.ndarray, fold: np.ndarray,
               rng: np.random.Generator) -> list[Mark]:  # fmt: skip
    """Measure each kind of trait.

    Parameters
    ----------
    traits
        Of n images that are independent of each other.
    labels
        (n,): class numbers 0, 1, ..., each with images in every fold or nearly.
    fold
        (n,): fold of each image; by cells its class is predicted from the images of the others.
    rng
        Draws the permutations.
    """
    numbers, cells = single_numbers(traits), edge_cells(traits)
    n_classes = int(labels.max()) + 1
    targets = [1] if n_classes == 2 else list(range(n_classes))
    draws = int(np.clip(_DRAWS_OF_CLASSES // len(targets), _FIRST_DRAWS, _DRAWS))
    found = _evidence(numbers, cells, labels[:, None], targets)
    shuffled = permutations(_FIRST_DRAWS, labels, fold, rng)
    chance = _evidence(numbers, cells, shuffled, targets)
    if _adjusted(found, chance)[1].min() <= _WORTH_MORE:
        more = permutations(draws - _FIRST_DRAWS, labels, fold, rng)
        chance = np.concatenate([chance, _evidence(numbers, cells, more, targets)], axis=2)
    deviations, p_values = _adjusted(found, chance)
    kinds = [name for name, values in numbers.items() for _ in values.T] + ["overlay"] * len(_CELLS)
    marks = []
    for kind in dict.fromkeys(kinds):
        rows = np.flatnonzero([name == kind for name in kinds])
        best = int(deviations[rows].argmax())
        row, place = int(rows[best // len(targets)]), best % len(targets)
        own, weights = labels == targets[place], None
        if kind == "overlay":
            share = _CELLS[row - len(kinds)][1]
            auc = fold_aucs(_cell_scores(cells, own[:, None], fold, share), own[:, None], fold)[0]
            weights = _weights(cells, own[:, None], share)[:, 0].reshape(CELLS, CELLS)
        else:
            auc = number_auc(numbers[kind][:, row - rows[0]], own)
        p = round(float(p_values[row, place]), 4)
        marks.append(Mark(kind, round(float(auc), 4), p, targets[place], weights))
    return marks


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
    shuffled = np.tile(labels[:, None], (1, draws))
    for place in range(int(fold.max()) + 1):
        rows = np.flatnonzero(fold == place)
        shuffled[rows] = rng.permuted(shuffled[rows], axis=0)
    return shuffled


def permute(labels: np.ndarray, fold: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle the labels within folds, so that each keeps its share of the classes."""
    return permutations(1, labels, fold, rng)[:, 0]


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


def _evidence(
    numbers: dict[str, np.ndarray],
    cells: np.ndarray,
    labels: np.ndarray,
    targets: list[int],
) -> np.ndarray:
    """Return the evidence of each number, and of the cells, for each target and column of labels.

    Parameters
    ----------
    numbers, cells
        What `single_numbers` and `edge_cells` return.
    labels
        (n, m): class numbers, in columns.
    targets
        Classes that are told from all others.

    Returns
    -------
    np.ndarray
        (numbers and sums of cells, targets, m).
    """
    own = np.concatenate([labels == label for label in targets], axis=1).astype(np.float32)
    own -= own.mean(axis=0)
    own /= np.maximum(np.linalg.norm(own, axis=0), 1e-6)
    ranks = rankdata(np.concatenate(list(numbers.values()), axis=1).round(6), axis=0)
    found = [np.abs(scaled(ranks, 0).T @ own)]
    apart = np.abs(cells.T @ own)
    for least, _ in _CELLS:
        beyond = np.maximum(apart - least, 0)
        found.append(np.log1p(np.einsum("cm,cm->m", beyond, beyond))[None])
    return np.concatenate(found).reshape(-1, len(targets), labels.shape[1])


def _adjusted(found: np.ndarray, chance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviations of each kind of evidence and target, and p adjusted for all of them.

    Evidence counts in standard deviations of the permutations: that of cells varies more.
    """
    middle, spread = chance.mean(axis=2, keepdims=True), chance.std(axis=2, keepdims=True) + 1e-9
    best_by_chance = ((chance - middle) / spread).max(axis=(0, 1))
    deviations = ((found - middle) / spread)[:, :, 0]
    as_good = (best_by_chance >= deviations[:, :, None] - 1e-9).sum(axis=2)
    return deviations, (as_good + 1) / (len(best_by_chance) + 1)


def number_auc(values: np.ndarray, own: np.ndarray) -> float:
    """Return the ROC AUC of a number for a class, in the direction in which it is above 0.5."""
    ranks = rankdata(values.round(6))
    return 0.5 + abs(float(ranks[own].mean() - ranks[~own].mean())) / len(own)


def _cell_scores(cells: np.ndarray, own: np.ndarray, fold: np.ndarray, share: float) -> np.ndarray:
    """Predict every column of `own` (n, m) by the few cells (n, cells) that differ most."""
    scores = np.zeros(own.shape, np.float32)
    for number in range(int(fold.max()) + 1):
        test = fold == number
        scores[test] = cells[test] @ _weights(cells[~test], own[~test], share)
    return scores


def _weights(cells: np.ndarray, own: np.ndarray, share: float) -> np.ndarray:
    """Return the difference of the class means in the cells that differ most; others are 0."""
    wanted = own.astype(np.float32)
    of_class = np.maximum(wanted.sum(axis=0), 1)
    weights = cells.T @ (wanted / of_class - (1 - wanted) / np.maximum(len(own) - of_class, 1))
    place = int((1 - share) * len(weights))
    least = np.partition(np.abs(weights), place, axis=0)[place]
    weights[np.abs(weights) < least] = 0
    return weights
