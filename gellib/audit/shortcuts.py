"""Shortcuts: properties that separate the classes without the image content, such as file type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedKFold

from gellib.base.text import join_and
from gellib.data.duplicates import ImageSummary

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
    "together": "all of these together",
}
_KINDS = ("file_type", "mode", "bit_depth")
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
FOLDS = 5
_DRAWS = 999
_MAX_CELLS = 4e7
_ENOUGH = 10


@dataclass(frozen=True)
class Shortcut:
    """How well one property separates the classes.

    `auc` is the cross-validated ROC AUC, the mean over classes of one class against the rest; 0.5
    is chance. `p` is the share of random permutations of the labels in which *any* of the
    properties does as well.
    """

    name: str
    auc: float
    p: float

    @property
    def label(self) -> str:
        """Name of the property in a sentence."""
        return NAMES[self.name]

    @property
    def min_auc(self) -> float:
        """AUC from which it is reported."""
        return _MIN_CONTENT_AUC if self.name in _CONTENT else MIN_AUC

    @property
    def high(self) -> bool:
        """Whether it is reported."""
        return self.auc >= self.min_auc and self.p <= MAX_P


def image_properties(summaries: Sequence[ImageSummary]) -> dict[str, np.ndarray]:
    """Return the properties of n readable images, each (n,): text or numbers."""
    infos = [summary.info for summary in summaries]
    width = np.array([info.width for info in infos], float)
    height = np.array([info.height for info in infos], float)
    return {
        "file_type": np.array([info.file_type for info in infos]),
        "mode": np.array([info.mode for info in infos]),
        "bit_depth": np.array([info.bit_depth for info in infos]),
        "width": width,
        "height": height,
        "aspect": width / height,
        "bytes_per_pixel": np.array([info.bytes for info in infos]) / (width * height),
        "tint": np.array([summary.tint for summary in summaries]).round(1),
        "mean_brightness": np.array([summary.brightness for summary in summaries]),
        "border": np.array([summary.border for summary in summaries]).round(3),
    }


def find_shortcuts(
    facts: dict[str, np.ndarray], labels: Sequence[int], *, seed: int = 0
) -> list[Shortcut]:
    """Measure how well each property alone, and all together, separate the classes; best first.

    The values of a property are binned. The class frequencies of each bin are estimated on four
    fifths of the images and applied to the last, so any dependence counts, not only a monotonic
    one. Pass only one image of each group of duplicates: the permutation test takes images as
    independent.
    """
    names, numbers = np.unique(np.asarray(labels, int), return_inverse=True)
    counts = np.bincount(numbers)
    if len(names) < 2 or counts.min() < 2:
        return []
    folds = StratifiedKFold(min(FOLDS, counts.min()), shuffle=True, random_state=seed)
    fold = np.empty(len(numbers), int)
    for place, (_, test) in enumerate(folds.split(numbers, numbers)):
        fold[test] = place
    bins = {
        name: cut for name, values in facts.items() if (cut := _bin(name, values)).max(initial=0)
    }
    if not bins:
        return []
    measured = _aucs(bins, numbers, fold)
    rng = np.random.default_rng([seed, len(numbers)])
    draws = int(np.clip(_MAX_CELLS / (len(numbers) * len(bins) * len(names)), 199, _DRAWS))
    as_good = dict.fromkeys(measured, 0)
    done = 0
    # Ten permutations that do as well are enough to estimate a large p; only small ones need all.
    while done < draws and min(as_good.values()) < _ENOUGH:
        done += 1
        # Within folds, so that each keeps its share of the classes.
        shuffled = numbers.copy()
        for place in range(fold.max() + 1):
            rows = np.flatnonzero(fold == place)
            shuffled[rows] = rng.permutation(numbers[rows])
        best = max(_aucs(bins, shuffled, fold).values())
        for name, auc in measured.items():
            as_good[name] += best >= auc - 1e-12
    found = [
        Shortcut(name, round(auc, 4), round((as_good[name] + 1) / (done + 1), 4))
        for name, auc in measured.items()
    ]
    # A property with one value for all images says nothing.
    found += [Shortcut(name, 0.5, 1.0) for name in facts if name not in measured]
    return sorted(found, key=lambda shortcut: -shortcut.auc)


def sentences(shortcuts: Sequence[Shortcut]) -> list[str]:
    """Describe the shortcuts: those that reading as grey removes, and the others."""
    alone = [s for s in shortcuts if s.high and s.name != "together"]
    removed = [s for s in alone if s.name in REMOVED]
    left = [s for s in alone if s.name not in REMOVED]
    result = []
    if removed:
        it = "it" if len(removed) == 1 else "them"
        result.append(
            f"{_list(removed)} alone separate{'s' if len(removed) == 1 else ''} the classes. "
            f"Images are read as grey, which removes {it}; with color: rgb a network could use "
            f"{it}."
        )
    if left:
        it = "it" if len(left) == 1 else "them"
        result.append(
            f"{_list(left)} {'still ' if removed else ''}separate"
            f"{'s' if len(left) == 1 else ''} the classes without the image content, and reading "
            f"images as grey at one size does not remove {it}: a network may learn {it} instead."
        )
    together = next((s for s in shortcuts if s.name == "together" and s.high), None)
    if together and not alone:
        result.append(
            f"File type, size, tint, brightness and border together separate the classes (AUC "
            f"{together.auc:.2f}, p = {together.p:.3f}), but none of them alone."
        )
    return [sentence[0].upper() + sentence[1:] for sentence in result]


def _list(shortcuts: list[Shortcut]) -> str:
    return join_and(f"{s.label} (AUC {s.auc:.2f}, p = {s.p:.3f})" for s in shortcuts)


def _bin(name: str, values: np.ndarray) -> np.ndarray:
    """Bin the values: one bin per distinct value, or bins with about as many images each."""
    kinds, cut = np.unique(values, return_inverse=True)
    most = int(np.clip(len(values) // 15, 2, 10))
    if name in _KINDS or len(kinds) <= most:
        return cut
    edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")


def _aucs(bins: dict[str, np.ndarray], labels: np.ndarray, fold: np.ndarray) -> dict[str, float]:
    """Return the cross-validated AUC of each property and, by the product of their odds, of all."""
    n_classes, n_folds = labels.max() + 1, fold.max() + 1
    of_fold = np.bincount(fold * n_classes + labels, minlength=n_folds * n_classes)
    of_fold = of_fold.reshape(n_folds, 1, n_classes)
    aucs: dict[str, float] = {}
    total: Any = 0.0
    for name, cut in bins.items():
        counts = _counts(cut, labels, fold)
        odds = _log_odds(counts)
        total = total + odds[fold, cut]
        # Within a fold all images of one bin have one score, so counts per bin are enough.
        rest = counts.sum(axis=2, keepdims=True) - counts
        above = (odds[:, :, None] > odds[:, None]) + 0.5 * (odds[:, :, None] == odds[:, None])
        wins = np.einsum("fbc,fdc,fbdc->fc", counts, rest, above)
        aucs[name] = _mean_auc(wins, of_fold[:, 0])
    if len(bins) > 1:
        wins = np.empty((n_folds, n_classes))
        for number in range(n_folds):
            rows = fold == number
            ranks = rankdata(total[rows].round(9), axis=0)
            own = labels[rows][:, None] == np.arange(n_classes)
            yes = own.sum(axis=0)
            wins[number] = (ranks * own).sum(axis=0) - yes * (yes + 1) / 2
        aucs["together"] = _mean_auc(wins, of_fold[:, 0])
    return aucs


def _mean_auc(wins: np.ndarray, yes: np.ndarray) -> float:
    """Return the mean over folds and classes of the share of (own, other) pairs in order."""
    pairs = yes * (yes.sum(axis=1, keepdims=True) - yes)
    return float((wins[pairs > 0] / pairs[pairs > 0]).mean())


def _counts(cut: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    shape = (fold.max() + 1, cut.max() + 1, labels.max() + 1)
    code = (fold * shape[1] + cut) * shape[2] + labels
    return np.bincount(code, minlength=int(np.prod(shape))).reshape(shape)


def _log_odds(counts: np.ndarray) -> np.ndarray:
    """Return the log odds of each class in each bin, (folds, bins, classes), from other folds."""
    seen = counts.sum(axis=0) - counts
    n_bins = counts.shape[1]
    inside = (seen + 0.5) / (seen.sum(axis=1, keepdims=True) + 0.5 * n_bins)
    others = seen.sum(axis=2, keepdims=True) - seen
    outside = (others + 0.5) / (others.sum(axis=1, keepdims=True) + 0.5 * n_bins)
    return np.log(inside / outside).round(9)
