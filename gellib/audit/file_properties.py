"""How well properties of files and whole images, such as file type and size, predict the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from gellib.audit.marks import permute
from gellib.data.duplicates import ImageSummary

CATEGORICAL = ("file_type", "mode", "bit_depth")
_DRAWS = 999
_MAX_CELLS = 4e7
_ENOUGH = 10


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


def measure_properties(
    facts: dict[str, np.ndarray], labels: np.ndarray, fold: np.ndarray, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Return AUC and adjusted p of each property that varies, and of all together.

    Parameters
    ----------
    facts
        Values of each property, (n,): text or numbers.
    labels
        (n,): class numbers 0, 1, ...
    fold
        (n,): fold of each image; its class is predicted from the images of the others.
    rng
        Draws the permutations.
    """
    bins = {
        name: cut for name, values in facts.items() if (cut := _bin(name, values)).max(initial=0)
    }
    if not bins:
        return {}
    measured = _aucs(bins, labels, fold)
    per_draw = len(labels) * len(bins) * (int(labels.max()) + 1)
    draws = int(np.clip(_MAX_CELLS / per_draw, 199, _DRAWS))
    as_good = dict.fromkeys(measured, 0)
    done = 0
    # Ten permutations that do as well are enough to estimate a large p; only small ones need all.
    while done < draws and min(as_good.values()) < _ENOUGH:
        done += 1
        best = max(_aucs(bins, permute(labels, fold, rng), fold).values())
        for name, auc in measured.items():
            as_good[name] += best >= auc - 1e-12
    return {
        name: (round(auc, 4), round((as_good[name] + 1) / (done + 1), 4))
        for name, auc in measured.items()
    }


def _bin(name: str, values: np.ndarray) -> np.ndarray:
    """Bin the values: one bin per distinct value, or bins with about as many images each."""
    kinds, cut = np.unique(values, return_inverse=True)
    most = int(np.clip(len(values) // 15, 2, 10))
    if name in CATEGORICAL or len(kinds) <= most:
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
