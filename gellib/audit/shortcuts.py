"""What tells the classes apart without being the picture: file type, size, tint, border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection import StratifiedKFold

from gellib.base.text import join_and
from gellib.data.duplicates import Look

# Read off the file or the whole picture; a name maps to what it is called in a sentence.
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
    "border": "an even border",
    "together": "all of these together",
}
_KINDS = ("file_type", "mode", "bit_depth")
# What reading as grey at one size removes; the others reach the network.
REMOVED = ("mode", "bit_depth", "tint")
# From where on it is said in words.
LEAST_AUC, MOST_P = 0.7, 0.01
# What is in a picture moves these a little in any set: more is asked of them.
_CONTENT = ("bytes_per_pixel", "mean_brightness", "together")
_LEAST_CONTENT_AUC = 0.75
FOLDS = 5
_DRAWS = 999
_MOST_CELLS = 4e7
_ENOUGH = 10


@dataclass(frozen=True)
class Shortcut:
    """How well one fact tells the classes apart.

    `auc` is cross-validated, the mean over classes of one against the rest; 0.5 is chance. `p` is
    the share of random relabellings in which *any* of the facts does as well.
    """

    name: str
    auc: float
    p: float

    @property
    def label(self) -> str:
        """What the fact is called in a sentence."""
        return NAMES[self.name]

    @property
    def least_auc(self) -> float:
        """From which AUC on it is worth a warning."""
        return _LEAST_CONTENT_AUC if self.name in _CONTENT else LEAST_AUC

    @property
    def high(self) -> bool:
        """Whether it is worth a warning."""
        return self.auc >= self.least_auc and self.p <= MOST_P


def facts_of(looks: Sequence[Look]) -> dict[str, np.ndarray]:
    """The facts of readable images, one value per image: text or numbers."""
    infos = [look.info for look in looks]
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
        "tint": np.array([look.tint for look in looks]).round(1),
        "mean_brightness": np.array([look.brightness for look in looks]),
        "border": np.array([look.border for look in looks]).round(3),
    }


def find_shortcuts(
    facts: dict[str, np.ndarray], labels: Sequence[int], *, seed: int = 0
) -> list[Shortcut]:
    """Measure how well each fact alone, and all together, tell the classes apart; best first.

    A fact is cut into classes of values, and what share of each class lies in which is learnt on
    four fifths of the images and tried on the last, so any dependence counts, not only a rising
    one. Give one image of each group of duplicates: the relabelling takes them as independent.
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
        name: cut for name, values in facts.items() if (cut := _cut(name, values)).max(initial=0)
    }
    if not bins:
        return []
    measured = _aucs(bins, numbers, fold)
    rng = np.random.default_rng([seed, len(numbers)])
    draws = int(np.clip(_MOST_CELLS / (len(numbers) * len(bins) * len(names)), 199, _DRAWS))
    as_good = dict.fromkeys(measured, 0)
    done = 0
    # Ten draws that do better say enough of a fact; only rare ones need all.
    while done < draws and min(as_good.values()) < _ENOUGH:
        done += 1
        # Within folds: each keeps its share of the classes.
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
    # What is the same for all images tells nothing.
    found += [Shortcut(name, 0.5, 1.0) for name in facts if name not in measured]
    return sorted(found, key=lambda shortcut: -shortcut.auc)


def sentences(shortcuts: Sequence[Shortcut]) -> list[str]:
    """The warnings in words: what reading as grey removes, and what is left; none for none."""
    alone = [s for s in shortcuts if s.high and s.name != "together"]
    removed = [s for s in alone if s.name in REMOVED]
    left = [s for s in alone if s.name not in REMOVED]
    result = []
    if removed:
        it = "it" if len(removed) == 1 else "them"
        result.append(
            f"{_list(removed)} alone tell{'s' if len(removed) == 1 else ''} the classes apart. "
            f"Images are read as grey, which removes {it}; with color: rgb a network could use "
            f"{it}."
        )
    if left:
        it = "it" if len(left) == 1 else "them"
        result.append(
            f"{_list(left)} {'still ' if removed else ''}tell{'s' if len(left) == 1 else ''} the "
            "classes apart without a look at what is in the picture, and reading as grey at one "
            f"size does not remove {it}: a network may learn that instead."
        )
    together = next((s for s in shortcuts if s.name == "together" and s.high), None)
    if together and not alone:
        result.append(
            f"File type, size, tint, brightness and border together tell the classes apart (AUC "
            f"{together.auc:.2f}, p = {together.p:.3f}), none of them alone."
        )
    return [sentence[0].upper() + sentence[1:] for sentence in result]


def _list(shortcuts: list[Shortcut]) -> str:
    return join_and(f"{s.label} (AUC {s.auc:.2f}, p = {s.p:.3f})" for s in shortcuts)


def _cut(name: str, values: np.ndarray) -> np.ndarray:
    """Number the values: each kind, or ranges that hold about as many images each."""
    kinds, cut = np.unique(values, return_inverse=True)
    most = int(np.clip(len(values) // 15, 2, 10))
    if name in _KINDS or len(kinds) <= most:
        return cut
    edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")


def _aucs(bins: dict[str, np.ndarray], labels: np.ndarray, fold: np.ndarray) -> dict[str, float]:
    """Cross-validated AUC of each fact and, as a product of their odds, of all."""
    n_classes, n_folds = labels.max() + 1, fold.max() + 1
    of_fold = np.bincount(fold * n_classes + labels, minlength=n_folds * n_classes)
    of_fold = of_fold.reshape(n_folds, 1, n_classes)
    aucs: dict[str, float] = {}
    total: Any = 0.0
    for name, cut in bins.items():
        counts = _counts(cut, labels, fold)
        odds = _log_odds(counts)
        total = total + odds[fold, cut]
        # Within a fold all images of one range have one score, so counts of ranges are enough.
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
    """Mean over folds and classes of the share of pairs (own, other) in the right order."""
    pairs = yes * (yes.sum(axis=1, keepdims=True) - yes)
    return float((wins[pairs > 0] / pairs[pairs > 0]).mean())


def _counts(cut: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    shape = (fold.max() + 1, cut.max() + 1, labels.max() + 1)
    code = (fold * shape[1] + cut) * shape[2] + labels
    return np.bincount(code, minlength=int(np.prod(shape))).reshape(shape)


def _log_odds(counts: np.ndarray) -> np.ndarray:
    """Evidence of each range for each class (folds, ranges, classes), from the other folds."""
    seen = counts.sum(axis=0) - counts
    n_bins = counts.shape[1]
    inside = (seen + 0.5) / (seen.sum(axis=1, keepdims=True) + 0.5 * n_bins)
    others = seen.sum(axis=2, keepdims=True) - seen
    outside = (others + 0.5) / (others.sum(axis=1, keepdims=True) + 0.5 * n_bins)
    return np.log(inside / outside).round(9)
