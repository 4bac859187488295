"""Shortcuts: what tells the classes apart without the subject, such as a date stamp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

from gellib.audit.class_traits import class_means, describe_mark, per_class
from gellib.audit.file_properties import measure_properties
from gellib.audit.marks import MOST_COMPARED, find_marks
from gellib.data.duplicates.image_traits import ImageTraits

# Properties of the file or the whole image; each name maps to its name in a sentence.
NAMES = {
    "file_type": "the file type",
    "mode": "the file mode",
    "bit_depth": "the bit depth",
    "width": "the width",
    "height": "the height",
    "aspect": "the aspect ratio",
    "bytes_per_pixel": "the file size per pixel",
    "tint": "the tint",
    "mean_brightness": "the mean brightness",
    "border": "a uniform border",
    "together": "properties of files together",
    "levels": "the darkest and brightest grey levels",
    "sharpness": "the sharpness",
    "grain": "the noise",
    "compression": "the JPEG compression",
    "overlay": "edges at one place",
}
# Properties of what is in the images; the others are of the files and of whole images.
INSIDE = ("levels", "sharpness", "grain", "compression", "overlay")
# Removed by reading images as grey at one size; the others reach the network.
REMOVED = ("mode", "bit_depth", "tint")
# AUC and p from which a shortcut is reported. No benchmark set them: they were chosen by hand.
# `tests/benchmarks/duplicates.py quiet` counts the false alarms on 100 clean simulated sets, and
# tests/audit/test_check.py::test_chance_is_rarely_taken_for_a_shortcut guards the p.
MIN_AUC, MAX_P = 0.7, 0.01
# The image content changes these a little in any set, so the higher AUC is needed. It was raised
# after false alarms in the same benchmark.
_CONTENT = ("bytes_per_pixel", "mean_brightness", "together")
_MIN_CONTENT_AUC = 0.75
# AUC and p from which what is in the images is reported; `tests/benchmarks/shortcuts.py` measures
# what is found, how often clean sets alarm, and how often classes that show other things do: their
# grain reaches 0.78 in simulated sets, edges at one place 0.65 in most.
_MIN_INSIDE_AUC = {
    "levels": 0.67,
    "sharpness": 0.7,
    "grain": 0.8,
    "compression": 0.67,
    "overlay": 0.66,
}
_MAX_INSIDE_P = 0.03
SHORTCUT_FOLDS = 5


@dataclass(frozen=True)
class Shortcut:
    """How well one property separates the classes.

    `auc` is a ROC AUC; 0.5 is chance. Of a property of the files it is cross-validated, the mean
    over classes of one class against the rest; of what is in the images, that of the class that
    stands out most, cross-validated for edges. `p` is the share of random permutations of the
    labels in which *any* of the properties does as well: any property of the
    files, or anything in the images. `classes` says in words which class has what. For what is at
    one place, `cells`, (48, 48), is 0 except where the classes differ, and `means`, (classes, 48,
    48), are the mean edges of each class.
    """

    name: str
    auc: float
    p: float
    classes: str = ""
    cells: np.ndarray | None = field(default=None, compare=False, repr=False)
    means: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def label(self) -> str:
        """Name of the property in a sentence."""
        return NAMES[self.name]

    @property
    def min_auc(self) -> float:
        """AUC from which it is reported."""
        if self.name in INSIDE:
            return _MIN_INSIDE_AUC[self.name]
        return _MIN_CONTENT_AUC if self.name in _CONTENT else MIN_AUC

    @property
    def high(self) -> bool:
        """Whether it is reported."""
        return self.auc >= self.min_auc and self.p <= self.max_p

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {"name": self.name, "auc": self.auc, "p": self.p, "classes": self.classes}

    @property
    def max_p(self) -> float:
        """p up to which it is reported."""
        return _MAX_INSIDE_P if self.name in INSIDE else MAX_P


def find_shortcuts(
    facts: dict[str, np.ndarray],
    labels: Sequence[int],
    *,
    seed: int = 0,
    traits: Sequence[ImageTraits] = (),
    class_names: Sequence[str] = (),
) -> list[Shortcut]:
    """Measure how well each property, and what is in the images, separate the classes; best first.

    The values of a property are binned. The class frequencies of each bin are estimated on four
    fifths of the images and applied to the last, so any dependence counts, not only a monotonic
    one. Pass only one image of each group of duplicates: the permutation test takes images as
    independent.

    Parameters
    ----------
    facts
        Values of each property, (n,): text or numbers.
    labels
        (n,): class numbers.
    seed
        Seed of the folds and permutations.
    traits
        (n,): what the making of the images left in them; empty: only the properties are measured.
    class_names
        Names by class number; without them the numbers are used.
    """
    names, numbers = np.unique(np.asarray(labels, int), return_inverse=True)
    counts = np.bincount(numbers)
    if len(names) < 2 or counts.min() < 2:
        return []
    texts = [class_names[name] if class_names else str(name) for name in names]
    fold = _folds(numbers, seed)
    rng = np.random.default_rng([seed, len(numbers)])
    measured = measure_properties(facts, numbers, fold, rng)
    found = [
        Shortcut(name, auc, p, per_class(name, facts.get(name), numbers, texts))
        for name, (auc, p) in measured.items()
    ]
    # A property with one value for all images says nothing.
    found += [Shortcut(name, 0.5, 1.0) for name in facts if name not in measured]
    if traits:
        found += _inside(traits, numbers, texts, seed)
    return sorted(found, key=lambda shortcut: -shortcut.auc)


def _inside(
    traits: Sequence[ImageTraits], labels: np.ndarray, texts: list[str], seed: int
) -> list[Shortcut]:
    """Measure what is in the images, of at most a thousand of them."""
    rng = np.random.default_rng([seed, len(labels), 1])
    rows = np.arange(len(labels))
    if len(rows) > MOST_COMPARED:
        rows = np.sort(rng.permutation(rows)[:MOST_COMPARED])
        # A class that the sample nearly misses would have no folds.
        few = np.bincount(labels[rows], minlength=len(texts)) < SHORTCUT_FOLDS
        rows = np.union1d(rows, np.flatnonzero(few[labels]))
    labels, traits = labels[rows], [traits[int(row)] for row in rows]
    return [
        Shortcut(
            mark.name,
            mark.auc,
            mark.p,
            describe_mark(mark, traits, labels, texts),
            mark.weights,
            None if mark.weights is None else class_means(traits, labels),
        )
        for mark in find_marks(traits, labels, _folds(labels, seed), rng)
    ]


def _folds(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold of each image; every fold has its share of each class."""
    n_folds = min(SHORTCUT_FOLDS, int(np.bincount(labels).min()))
    splits = StratifiedKFold(n_folds, shuffle=True, random_state=seed).split(labels, labels)
    fold = np.empty(len(labels), int)
    for place, (_, test) in enumerate(splits):
        fold[test] = place
    return fold
