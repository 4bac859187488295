"""Find pairs of images that differ only in compression, scale, crop, brightness or symmetry."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from scipy.fft import dctn

from gellib.data.duplicates.align import SIDES, agreement, crop, detail
from gellib.data.duplicates.threads import TILE, batches, in_threads, tiles
from gellib.data.duplicates.variants import SYMMETRIES

# Agreement from which a pair counts as one image. Chosen on simulated images and their changed
# copies: `tests/benchmarks/duplicates.py twins` measures how often it is wrong.
AGREE = 0.74
# The same for mirrored, turned and inverted copies; `tests/benchmarks/duplicates.py kinds`
# measures it.
AGREE_CHANGED = 0.74
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
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.

    Returns
    -------
    list of (i, j, distance)
        Positions i < j, sorted; distance 0 is the same image, 1 has nothing in common.
    """
    return compare_all(thumbnails, aspects, progress=progress)[0]


def compare_all(
    thumbnails: np.ndarray,
    aspects: np.ndarray | None = None,
    *,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> tuple[list[tuple[int, int, float]], tuple[np.ndarray, ...] | None]:
    """Return what `near_pairs` does, and the mirrored or inverted pairs that do not agree yet.

    These are first, second, windows (n, 5) of left, right, top, bottom and a turn of 0 degrees,
    symmetry and negative: a copy may be turned a little too.
    """
    if len(thumbnails) < 2:
        return [], None
    thumbnails = np.asarray(thumbnails, np.float32)
    details = {side: detail(thumbnails, side) for side in SIDES}
    first, second, crops, symmetry, negative = _candidates(thumbnails, details[SIDES[0]], progress)
    values, windows = agreement(
        thumbnails, details, first, second, CROPS[crops], symmetry, negative
    )
    enough = np.where((symmetry > 0) | negative, AGREE_CHANGED, AGREE)
    if aspects is not None:
        left, right, top, bottom = windows.T
        whole = np.log(np.asarray(aspects, float))
        turned = np.where(symmetry >= 4, -1, 1)
        cut = np.log((right - left) / (bottom - top))
        enough[np.abs(turned * whole[first] - whole[second] - cut) > _SQUEEZED] = _AGREE_SQUEEZED
    found: dict[tuple[int, int], float] = {}
    for place in np.flatnonzero(values >= enough):
        i, j, value = int(first[place]), int(second[place]), float(values[place])
        pair = (min(i, j), max(i, j))
        found[pair] = max(value, found.get(pair, 0.0))
    pairs = [(i, j, round(max(0.0, 1 - value), 3)) for (i, j), value in sorted(found.items())]
    open_ = (values < enough) & ((symmetry > 0) | negative)
    cuts = np.pad(CROPS[crops], ((0, 0), (0, 1)))
    rest = first, second, cuts, symmetry, negative
    return pairs, tuple(part[open_] for part in rest)


def _candidates(
    thumbnails: np.ndarray, coarse: np.ndarray, progress: Callable[..., Iterable[Any]] | None
) -> tuple[np.ndarray, ...]:
    """Return pairs: first, second, number of the crop, symmetry and whether it is a negative.

    The crop of the second, of which the first is a part, is compared with all variants of the
    first. A mirrored image has the same cosine coefficients with other signs, so four correlations
    with them give those of the eight symmetries, and their absolute value those of the negatives.
    """
    n = len(thumbnails)
    most = min(NEIGHBOURS, n - 1)
    whole = [_by_parity(coarse), _by_parity(coarse.transpose(0, 2, 1))]
    # Rows of columns: products with them take half of the time of those with transposed rows.
    flat = [[np.ascontiguousarray(part.T) for part in others] for others in whole]

    def block(rows: np.ndarray) -> list[tuple[np.ndarray, ...]]:
        found = []
        cuts = [_by_parity(detail(crop(thumbnails[rows], window), SIDES[0])) for window in CROPS]
        plain = np.full((len(rows), n), -1, np.float32)
        changed = np.full((len(rows), n), -1, np.float32)
        space = np.empty((6, len(rows), TILE), np.float32)
        for columns in tiles(n):
            best, other = plain[:, columns], changed[:, columns]
            ee, eo, oe, oo, upper, lower = space[:, :, : best.shape[1]]
            for cut, (turned, others) in itertools.product(cuts, enumerate(flat)):
                for a, b, product in zip(cut, others, (ee, eo, oe, oo), strict=True):
                    np.matmul(a, b[:, columns], out=product)
                np.add(ee, eo, out=upper)
                np.add(oe, oo, out=lower)
                if not turned:
                    np.maximum(best, upper + lower, out=best)
                ee -= eo
                oe -= oo
                for left, right in ((upper, lower), (ee, oe)):
                    np.abs(left, out=left)
                    left += np.abs(right, out=right)
                    np.maximum(other, left, out=other)
        for best, is_plain in ((plain, True), (changed, False)):
            best[np.arange(len(rows)), rows] = -1
            near = np.argpartition(-best, most - 1, axis=1)[:, :most]
            row, place = np.nonzero(np.take_along_axis(best, near, axis=1) >= COARSE)
            if len(row):
                column = near[row, place]
                crops, symmetry, negative = _best_variant(cuts, whole, row, column, is_plain)
                use = is_plain | (symmetry > 0) | negative
                chosen = column, rows[row], crops, symmetry, negative
                found.append(tuple(values[use] for values in chosen))
        return found

    blocks = batches(np.arange(n), _BLOCK)
    parts: Iterable[Any] = in_threads(block, blocks)
    if progress:
        parts = progress(parts, total=len(blocks), desc="comparing", unit=" blocks")
    found = list(itertools.chain(*parts))
    if not found:
        nothing = np.zeros(0, int)
        return nothing, nothing, nothing, nothing, nothing.astype(bool)
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _by_parity(images: np.ndarray) -> list[np.ndarray]:
    """Return the cosine coefficients of images (n, side, side), even and odd ones apart.

    Four arrays (n, side * side / 4): even rows and columns, even rows and odd columns, and so on.
    Dot products of all four add up to those of the images.
    """
    waves = dctn(images, axes=(1, 2), norm="ortho").astype(np.float32)
    return [
        np.ascontiguousarray(waves[:, row::2, column::2].reshape(len(waves), -1))
        for row in (0, 1)
        for column in (0, 1)
    ]


def _best_variant(
    cuts: list[list[np.ndarray]],
    whole: list[list[np.ndarray]],
    row: np.ndarray,
    column: np.ndarray,
    plain: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the crop, the symmetry and the sign with which each pair agrees best."""
    values = np.empty((len(cuts), 1 if plain else SYMMETRIES, len(row)), np.float32)
    for number, cut in enumerate(cuts):
        for symmetry in range(values.shape[1]):
            others = whole[symmetry >> 2]
            parts = [
                np.einsum("nk,nk->n", a[row], b[column]) for a, b in zip(cut, others, strict=True)
            ]
            # An odd wave changes its sign in a mirror.
            down, across = 1 - (symmetry & 2), 1 - 2 * (symmetry & 1)
            values[number, symmetry] = (
                parts[0] + across * parts[1] + down * parts[2] + down * across * parts[3]
            )
    strength = values if plain else np.abs(values)
    best = strength.reshape(-1, len(row)).argmax(axis=0)
    crops, symmetry = np.divmod(best, values.shape[1])
    return crops, symmetry, values[crops, symmetry, np.arange(len(row))] < 0
