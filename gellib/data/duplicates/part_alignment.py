"""Align an image with a part of another one that may be turned a little, and say if they agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gellib.data.duplicates.align import blur, blur_matrix, local_correlation
from gellib.data.duplicates.threads import batches, in_threads
from gellib.data.duplicates.variants import transform
from gellib.data.duplicates.warp import IDENTITY, centres, compose, follow, sample

# Pixels of the larger of the two sizes that are compared.
FINE = 128
# Correlation from which an alignment goes on, by size in pixels. Of 224 pairs that alignments find
# without the first two (turned, cut and in panels, 12 of each kind in the sets of
# `tests/benchmarks/duplicates.py kinds`), these lose 4; 9 of 10 of 9,015 pairs end at 16 pixels.
MIN_CORRELATION = {16: 0.78, 32: 0.82, 64: 0.6}
# Largest shift (share of the side), change of scale and turn in one round, per size in pixels, and
# the steps of each round. Chosen by hand.
_LIMITS = {16: 0.13, 32: 0.08, 64: 0.04}
_STEPS = {16: (3, 3), 32: (3, 2), 64: (2,)}
# Least share of the first image that must lie in the second.
_MIN_COVER = 0.7
_BATCH = 32


def halve(images: np.ndarray) -> np.ndarray:
    """Average blocks of 2 x 2 pixels of images (n, side, side)."""
    x = images.astype(np.float32)
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def align_parts(
    small: np.ndarray,
    fine: Sequence[np.ndarray],
    first: np.ndarray,
    second: np.ndarray,
    maps: np.ndarray,
    aspects: np.ndarray,
    symmetry: np.ndarray,
    negative: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Align pairs of images from coarse to fine.

    Parameters
    ----------
    small, fine
        (m, 64, 64) and n of (128, 128): grey levels of the images.
    first, second
        (pairs,): positions of the first image of each pair in `small`, of the second in `fine`.
    maps
        (pairs, 6): where the first lies in the second, to begin with, as in `warp`.
    aspects
        (pairs,): width divided by height of the first.
    symmetry, negative
        (pairs,): what is done to the first before, as `variants.transform` takes it.

    Returns
    -------
    values
        (pairs,): agreement, -1 to 1; -1 where an alignment was given up.
    maps
        (pairs, 6): where the first lies in the second.
    """
    values, maps = np.full(len(first), -1, np.float32), maps.copy()
    quarters = _quartered(small), _quartered(fine)

    def begin(rows: np.ndarray) -> np.ndarray:
        a = _changed(quarters[0][first[rows]], symmetry[rows], negative[rows])
        b = quarters[1][second[rows]]
        value, maps[rows] = _refine(a, b, maps[rows], aspects[rows], 16)
        return rows[value >= MIN_CORRELATION[16]]

    def finish(rows: np.ndarray) -> None:
        a = _changed(small[first[rows]].astype(np.float32), symmetry[rows], negative[rows])
        b = np.stack([fine[row] for row in second[rows]]).astype(np.float32)
        firsts, seconds = {32: halve(a), 64: a}, {32: halve(b), 64: b}
        use = np.arange(len(rows))
        for side in (32, 64):
            value, found = _refine(
                firsts[side][use], seconds[side][use], maps[rows[use]], aspects[rows[use]], side
            )
            use, found = use[value >= MIN_CORRELATION[side]], found[value >= MIN_CORRELATION[side]]
            if not len(use):
                return
            maps[rows[use]] = found
        values[rows[use]] = _agreement(a[use], b[use], maps[rows[use]])

    kept = list(in_threads(begin, batches(np.arange(len(first)), 8 * _BATCH)))
    if kept:
        list(in_threads(finish, batches(np.concatenate(kept), _BATCH)))
    return values, maps


def _quartered(images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Reduce n square images to a quarter of their side."""
    parts = [
        halve(halve(np.stack([images[row] for row in rows])))
        for rows in batches(np.arange(len(images)), 8 * _BATCH)
    ]
    return np.concatenate(parts)


def _changed(images: np.ndarray, symmetry: np.ndarray, negative: np.ndarray) -> np.ndarray:
    if not (symmetry.any() or negative.any()):
        return images
    return transform(images - images.mean(axis=(1, 2), keepdims=True), symmetry, negative)


def _agreement(small: np.ndarray, large: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Compare images (n, 64, 64) with parts of others (n, 128, 128)."""
    u, v = centres(64)
    part, inside = sample(blur(large, 0.7), *follow(maps, u, v))
    mask = inside.reshape(small.shape).astype(np.float32)
    value = local_correlation(small, part.reshape(small.shape), mask)
    return np.where(mask.mean(axis=(1, 2)) >= _MIN_COVER, value, -1)


def _refine(
    small: np.ndarray, large: np.ndarray, maps: np.ndarray, aspects: np.ndarray, side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the part out and optimise, in rounds; return the best correlation and its map."""
    target = _contrast(small, side).reshape(len(small), -1)
    best, kept = np.full(len(small), -1, np.float32), maps
    for steps in _STEPS[side]:
        value, found = _optimise(target, large, kept, aspects, side, steps)
        better = value > best
        best, kept = np.where(better, value, best), np.where(better[:, None], found, kept)
    return best, kept


def _optimise(
    target: np.ndarray,
    large: np.ndarray,
    maps: np.ndarray,
    aspects: np.ndarray,
    side: int,
    steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Optimise shift, width, height and turn by Gauss-Newton.

    Only what lies within the part is used: a white corner beside a dim gel would outweigh it.

    Parameters
    ----------
    target
        (n, side * side): contrast of the first image.
    large
        (n, 2 * side, 2 * side): the second image.
    maps, aspects
        (n, 6) and (n,), as `align_parts` takes them.
    side
        Pixels.
    steps
        Steps of the optimisation.

    Returns
    -------
    tuple
        Best correlation of each pair, (n,), and its map, (n, 6).
    """
    n, (u, v) = len(target), centres(side)
    part, _ = sample(large, *follow(maps, u, v))
    part = _contrast(part.reshape(n, side, side), side)
    change, best = np.tile(IDENTITY, (n, 1)), np.full(n, -1, np.float32)
    kept, limit = change.copy(), np.float32(_LIMITS[side])
    for step in range(steps + 1):
        x, y = follow(change, u, v)
        moved, covered = sample(part, x + np.float32(0.5), y + np.float32(0.5))
        x, y = follow(compose(maps, change), u, v)
        inside = (np.abs(x - 0.5) <= 0.5) & (np.abs(y - 0.5) <= 0.5)
        mask = (covered & inside).astype(np.float32)
        left, right = _standardised(target, mask), _standardised(moved, mask)
        value = np.einsum("nk,nk->n", left, right)
        value[mask.mean(axis=1) < _MIN_COVER] = -1
        better = value > best
        best = np.where(better, value, best)
        kept = np.where(better[:, None], change, kept)
        if step < steps:
            move = _step(left, right, mask, aspects, side)
            change = IDENTITY + np.clip(change + move - IDENTITY, -limit, limit)
    return best, compose(maps, kept)


def _step(
    left: np.ndarray, right: np.ndarray, mask: np.ndarray, aspects: np.ndarray, side: int
) -> np.ndarray:
    """Return the change of the map, (n, 6), that brings `right` nearer to `left`."""
    n, (u, v) = len(left), centres(side)
    down, across = np.gradient(right.reshape(n, side, side), axis=(1, 2))
    across = across.reshape(n, -1) * mask * side
    down = down.reshape(n, -1) * mask * side
    # A turn by t moves (u, v) by (-t v / aspect, t u aspect).
    ratio = aspects.astype(np.float32)[:, None]
    turn = u * down * ratio - v * across / ratio
    slopes = np.stack([across, across * u, down, down * v, turn], axis=1)
    normal = slopes @ slopes.transpose(0, 2, 1)
    damping = 2e-3 * np.einsum("nii->n", normal) + 1e-6
    normal += damping[:, None, None] * np.eye(5, dtype=np.float32)
    move = np.linalg.solve(normal, slopes @ (left - right)[:, :, None])[:, :, 0]
    shift_x, wide, shift_y, high, angle = np.clip(move, -0.06, 0.06).T
    parts = [shift_x, wide, -angle / ratio[:, 0], shift_y, angle * ratio[:, 0], high]
    return np.stack(parts, axis=1).astype(np.float32)


def _contrast(images: np.ndarray, side: int) -> np.ndarray:
    """Remove what varies slowly, and even out the local contrast of images (n, side, side)."""
    fine, wide = blur_matrix(side, 0.7), blur_matrix(side, side / 10)
    small = fine @ images @ fine.T
    small = small - wide @ small @ wide.T
    power = wide @ small**2 @ wide.T
    return small / np.sqrt(power + 0.1 * power.mean(axis=(1, 2), keepdims=True) + 1e-6)


def _standardised(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Scale (n, places) to mean 0 and length 1 within the mask, 0 outside."""
    count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
    masked = values * mask
    masked = (masked - masked.sum(axis=1, keepdims=True) / count) * mask
    length = np.sqrt(np.einsum("nk,nk->n", masked, masked))[:, None]
    return masked / np.maximum(length, 1e-6)
