"""Sweeps over features whose truth is known, cross-validated for real: what `evidence.py` judges.

An image has a class, and features of it that every configuration sees in its own way: a part of
the noise is common to all configurations, a part to those of one backbone, a part is its own, as
the errors of real backbones are alike. Given the class the features are normal, so the accuracy of
a linear head on an endless population is a formula. Heads are ridge regressions in closed form,
trained anew in each fold of a grouped, stratified cross-validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

FOLDS, REPEATS = 5, 5
# Features and ridge penalty (per image) of the kinds of configurations, which take turns.
KINDS = ((32, 0.1), (16, 0.03), (8, 0.3))
_FEATURES = max(features for features, _ in KINDS)
# Of the variance of the noise: common to all, common to the heads of a backbone; the rest is own.
_COMMON, _BACKBONE = 0.4, 0.4
_HEADS = 3
_IN_GROUP = 0.8  # of the variance of the noise, common to the images of a group
_SPREAD = 1 / np.sqrt(1 + np.arange(_FEATURES) / 4)  # features fall off as principal components do
_SIGNAL = _SPREAD / np.sqrt(_FEATURES)


@dataclass(frozen=True)
class Cell:
    """One kind of sweep: how many images, of what groups, and how good the configurations are.

    `scores` are the true expected accuracies of the configurations, at the size of the folds.
    """

    images: int
    group: int
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Sweep:
    """What a sweep measured, and the truth.

    `values` (K, R, N) are right (1) and wrong (0) out of fold, `folds` (R, N), `groups` N names or
    None, `losses` (K,), `of_folds` (K,) the mean true accuracy of the models of the folds, `final`
    (K,) the true accuracy of the model of all images.
    """

    values: np.ndarray
    folds: np.ndarray
    groups: tuple[str, ...] | None
    losses: np.ndarray
    of_folds: np.ndarray
    final: np.ndarray


def cell_of(images: int, group: int, count: int, difference: float, least: float = 0.85) -> Cell:
    """A cell of `count` configurations, a third of which are better by `difference`.

    The better ones are of each kind and, but for the first backbone, of all places among heads.
    """
    better = [k % _HEADS == (k // _HEADS) % _HEADS for k in range(count)]
    return Cell(images, group, tuple(least + difference * own for own in better))


def draw(cell: Cell, seed: int) -> Sweep:
    """Draw the images of a sweep, and cross-validate its configurations on them."""
    kinds, strength = _settings(cell)
    return _draw(cell.images, cell.group, kinds, strength, seed)


def draw_holdout(cell: Cell, seed: int) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Draw images as `draw` does; train on 60 %, and return what is right in 20 %: (images, K)."""
    kinds, strength = _settings(cell)
    x, _, label, number, rng = _images(cell.images, cell.group, kinds, strength, seed)
    fold = _folds(rng, label)[number]
    train, test = np.isin(fold, (0, 1, 2)), np.flatnonzero(fold == 4)
    own, target = x[:, train], 2.0 * label[number] - 1
    penalty = np.array([kind[1] for kind in kinds]) * train.sum()
    across = own.transpose(0, 2, 1)
    w = _solve(across @ own, across @ target[train], penalty)
    right = (x[:, test] @ w[:, :, None])[:, :, 0] * target[test] > 0
    return right.T.astype(float), _names(number[test], cell.group)


def _settings(cell: Cell) -> tuple[list[tuple[int, float]], np.ndarray]:
    kinds = [KINDS[k % len(KINDS)] for k in range(len(cell.scores))]
    strength = [
        np.interp(ndtri(score), *_curve(cell.images, cell.group, kind))
        for score, kind in zip(cell.scores, kinds, strict=True)
    ]
    return kinds, np.array(strength)


def _names(number: np.ndarray, group: int) -> tuple[str, ...] | None:
    return tuple(f"g{g}" for g in number) if group > 1 else None


@cache
def _curve(images: int, group: int, kind: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Expected accuracy of a kind at rising strengths of the signal: (its probit, strengths).

    A polynomial through all strengths: the error of the simulated data sets is a tenth of a point.
    """
    strengths, fine = np.linspace(1, 8, 15), np.linspace(1, 8, 701)
    kinds = [kind] * len(strengths)
    seeds = range(1_000_000, 1_000_000 + (400 if images <= 100 else 150))
    found = [_draw(images, group, kinds, strengths, seed, repeats=2).of_folds for seed in seeds]
    law = np.polyfit(strengths, ndtri(np.mean(found, axis=0)), 4)
    return np.maximum.accumulate(np.polyval(law, fine)), fine


def _draw(images, group, kinds, strength, seed, repeats=REPEATS) -> Sweep:
    x, mean, label, number, rng = _images(images, group, kinds, strength, seed)
    target = 2.0 * label[number] - 1
    penalty = np.array([kind[1] for kind in kinds])
    count = len(kinds)
    folds = np.stack([_folds(rng, label)[number] for _ in range(repeats)])
    values = np.empty((count, repeats, images))
    losses, accuracy = np.zeros(count), np.zeros(count)
    gram, moment = x.transpose(0, 2, 1) @ x, x.transpose(0, 2, 1) @ target
    for repeat in range(repeats):
        for fold in range(FOLDS):
            test = np.flatnonzero(folds[repeat] == fold)
            own = x[:, test]
            left = images - len(test)
            w = _solve(
                gram - own.transpose(0, 2, 1) @ own,
                moment - own.transpose(0, 2, 1) @ target[test],
                penalty * left,
            )
            margin = (own @ w[:, :, None])[:, :, 0] * target[test]
            values[:, repeat, test] = margin > 0
            losses += np.logaddexp(0, -3 * margin).sum(axis=1)
            accuracy += _truth(w, mean)
    final = _truth(_solve(gram, moment, penalty * images), mean)
    models = repeats * FOLDS
    losses, names = losses / images / repeats, _names(number, group)
    return Sweep(values, folds, names, losses, accuracy / models, final)


def _images(images, group, kinds, strength, seed):
    """Features, the mean of class 1, class of each group, group of each image, and a generator."""
    rng = np.random.default_rng([seed, images, group])
    n_groups = max(images // group, 2)
    number = np.arange(images) * n_groups // images
    label = rng.permutation(np.arange(n_groups) % 2)
    return *_features(rng, label[number], number, kinds, strength), label, number, rng


def _features(rng, label, number, kinds, strength) -> tuple[np.ndarray, np.ndarray]:
    """Features (K, N, D + 1), the last a constant; and the mean of class 1 (K, D)."""
    count, n = len(kinds), len(label)

    def noise(columns):
        shape = (columns, n, _FEATURES)
        if number[-1] + 1 == n:
            return rng.standard_normal(shape, dtype=np.float32)
        of_group = rng.standard_normal((columns, number[-1] + 1, _FEATURES), dtype=np.float32)
        own = rng.standard_normal(shape, dtype=np.float32)
        return np.sqrt(_IN_GROUP) * of_group[:, number] + np.sqrt(1 - _IN_GROUP) * own

    backbone = np.arange(count) // _HEADS
    seen = np.sqrt(_COMMON) * noise(1) + np.sqrt(_BACKBONE) * noise(backbone[-1] + 1)[backbone]
    seen += np.sqrt(1 - _COMMON - _BACKBONE) * noise(count)
    mean = strength[:, None] * _SIGNAL
    x = np.ones((count, n, _FEATURES + 1))
    x[:, :, :-1] = seen * _SPREAD + mean[:, None] * (2.0 * label - 1)[:, None] / 2
    keep = np.arange(_FEATURES) < np.array([features for features, _ in kinds])[:, None]
    x[:, :, :-1] *= keep[:, None]
    return x, mean * keep / 2


def _folds(rng, label) -> np.ndarray:
    """Deal the groups of each class to the folds in turn, starting where the last class ended."""
    fold, start = np.empty(len(label), dtype=int), rng.integers(FOLDS)
    for value in (0, 1):
        own = rng.permutation(np.flatnonzero(label == value))
        fold[own] = (start + np.arange(len(own))) % FOLDS
        start += len(own)
    return fold


def _solve(gram, moment, penalty) -> np.ndarray:
    ridge = np.ones(gram.shape[-1])
    ridge[-1] = 1e-6  # the constant is free
    return np.linalg.solve(gram + penalty[:, None, None] * np.diag(ridge), moment[:, :, None])[
        :, :, 0
    ]


def _truth(w, mean) -> np.ndarray:
    """Accuracy of heads (K, D + 1) on an endless population of two equally frequent classes."""
    spread = np.sqrt(((w[:, :-1] * _SPREAD) ** 2).sum(axis=1)) + 1e-12
    lead = (w[:, :-1] * mean).sum(axis=1)
    return (ndtr((lead + w[:, -1]) / spread) + ndtr((lead - w[:, -1]) / spread)) / 2
