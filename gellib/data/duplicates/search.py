"""Find the pairs of pictures that are the same but for saving, scale, crop and brightness."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gellib.data.duplicates.align import SIDES, agreement, crop, detail

# From how much agreement on a pair is one picture. Chosen on simulated pictures and their twins;
# tests/benchmarks/duplicates.py says how often it errs.
AGREE = 0.74
# A copy that is also squeezed, not only cropped, by more than this (as a logarithm) has to agree so
# much: drawings of one kind differ in little else than their proportions.
_SQUEEZED, _AGREE_SQUEEZED = 0.1, 0.94
# Coarse likeness (16 pixels, best of 16 crops) from which a pair is looked at more closely.
COARSE = 0.5
NEIGHBOURS = 8
_CUT = 0.06
_BLOCK = 128
_LOW, _HIGH = (0, _CUT), (1, 1 - _CUT)
CROPS = np.array(list(itertools.product(_LOW, _HIGH, _LOW, _HIGH)), np.float32)


def near_pairs(
    pictures: np.ndarray,
    aspects: np.ndarray | None = None,
    *,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[tuple[int, int, float]]:
    """Find near-duplicates among small grey pictures (n, 64, 64), squeezed to a square.

    `aspects` are their widths over their heights before they were squeezed.
    Returns (i, j, distance) with i < j in this order; the distance is 0 for the same picture and
    1 for what has nothing in common. Not all pairs are looked at: crops of 16 pixels find for each
    picture the `NEIGHBOURS` that it may be cut out of, which are then aligned.
    """
    if len(pictures) < 2:
        return []
    pictures = np.asarray(pictures, np.float32)
    details = {side: detail(pictures, side) for side in SIDES}
    first, second, start = _candidates(pictures, details[SIDES[0]], progress)
    values, windows = agreement(pictures, details, first, second, start)
    enough = np.full(len(values), AGREE)
    if aspects is not None:
        left, right, top, bottom = windows.T
        whole = np.log(np.asarray(aspects, float))
        cut = np.log((right - left) / (bottom - top))
        enough[np.abs(whole[first] - whole[second] - cut) > _SQUEEZED] = _AGREE_SQUEEZED
    found: dict[tuple[int, int], float] = {}
    for place in np.flatnonzero(values >= enough):
        i, j, value = int(first[place]), int(second[place]), float(values[place])
        pair = (min(i, j), max(i, j))
        found[pair] = max(value, found.get(pair, 0.0))
    return [(i, j, round(max(0.0, 1 - value), 3)) for (i, j), value in sorted(found.items())]


def _candidates(
    pictures: np.ndarray, coarse: np.ndarray, progress: Callable[..., Iterable[Any]] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs (first, second) and where the first may lie within the second."""
    n = len(pictures)
    whole = coarse.reshape(n, -1)
    most = min(NEIGHBOURS, n - 1)
    first, second, start = [], [], []
    blocks = range(0, n, _BLOCK)
    for at in progress(blocks, total=len(blocks)) if progress else blocks:
        rows = np.arange(at, min(at + _BLOCK, n))
        cuts = [detail(crop(pictures[rows], window), SIDES[0]) for window in CROPS]
        cuts = [cut.reshape(len(rows), -1) for cut in cuts]
        best = cuts[0] @ whole.T
        for cut in cuts[1:]:
            np.maximum(best, cut @ whole.T, out=best)
        best[np.arange(len(rows)), rows] = -1
        near = np.argpartition(-best, most - 1, axis=1)[:, :most]
        row, place = np.nonzero(np.take_along_axis(best, near, axis=1) >= COARSE)
        column = near[row, place]
        by_crop = [np.einsum("nk,nk->n", cut[row], whole[column]) for cut in cuts]
        first.append(column)
        second.append(rows[row])
        start.append(CROPS[np.argmax(by_crop, axis=0)] if len(row) else CROPS[:0])
    return np.concatenate(first), np.concatenate(second), np.concatenate(start)
