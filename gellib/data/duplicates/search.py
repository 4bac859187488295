"""Find pairs of images that differ only in compression, scale, crop and brightness."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from gellib.data.duplicates.align import SIDES, agreement, crop, detail

# Agreement from which a pair counts as one image. Chosen on simulated images and their changed
# copies: `tests/benchmarks/duplicates.py twins` measures how often it is wrong.
AGREE = 0.74
# A copy whose aspect ratio changed by more than cropping explains (difference of logarithms) needs
# the higher agreement: drawings of one kind often differ in little except their proportions.
# Chosen by hand; the same benchmark measures it, and test_a_squeezed_copy_is_found guards it.
_SQUEEZED, _AGREE_SQUEEZED = 0.1, 0.94
# Coarse correlation (16 pixels, best of 16 crops) from which a pair is aligned, and how many such
# pairs are aligned per image at most. Chosen by hand; the same benchmark measures what they miss.
COARSE = 0.5
NEIGHBOURS = 8
_CUT = 0.06
_BLOCK = 128
_LOW, _HIGH = (0, _CUT), (1, 1 - _CUT)
CROPS = np.array(list(itertools.product(_LOW, _HIGH, _LOW, _HIGH)), np.float32)


def near_pairs(
    thumbnails: np.ndarray,
    aspects: np.ndarray | None = None,
    *,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[tuple[int, int, float]]:
    """Find near-duplicates among small grey images.

    Not all pairs are compared: crops of 16 pixels find for each image the `NEIGHBOURS` that it may
    be cut out of, and only these pairs are aligned.

    Parameters
    ----------
    thumbnails
        (n, 64, 64) grey levels 0 to 255, resized to a square.
    aspects
        (n,) width divided by height before the resizing; None if unknown.
    progress
        Wraps an iterable and takes its `total`, as `tqdm` does.

    Returns
    -------
    list of (i, j, distance)
        Positions i < j, sorted; distance 0 is the same image, 1 has nothing in common.
    """
    if len(thumbnails) < 2:
        return []
    thumbnails = np.asarray(thumbnails, np.float32)
    details = {side: detail(thumbnails, side) for side in SIDES}
    first, second, start = _candidates(thumbnails, details[SIDES[0]], progress)
    values, windows = agreement(thumbnails, details, first, second, start)
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
    thumbnails: np.ndarray, coarse: np.ndarray, progress: Callable[..., Iterable[Any]] | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs (first, second) and where the first may lie within the second."""
    n = len(thumbnails)
    whole = coarse.reshape(n, -1)
    most = min(NEIGHBOURS, n - 1)
    first, second, start = [], [], []
    blocks = range(0, n, _BLOCK)
    for at in progress(blocks, total=len(blocks)) if progress else blocks:
        rows = np.arange(at, min(at + _BLOCK, n))
        cuts = [detail(crop(thumbnails[rows], window), SIDES[0]) for window in CROPS]
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
