"""Align an image with a part of another one that may be turned a little, and say if they agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gellib.data.duplicates.align import blur, blur_matrix, local_correlation
from gellib.data.duplicates.gauss_newton import (
    OUT_OF_REACH,
    going_on,
    moments,
    slopes,
    solve_damped,
    standardise,
)
from gellib.data.duplicates.threads import batches, in_threads
from gellib.data.duplicates.variants import transform
from gellib.data.duplicates.warp import IDENTITY, centres, compose, follow, sample, within

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

    def reduced(rows: np.ndarray) -> np.ndarray:
        return halve(halve(np.stack([images[row] for row in rows])))

    return np.concatenate(list(in_threads(reduced, batches(np.arange(len(images)), 8 * _BATCH))))


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
    best, kept = np.full(len(small), -1, np.float32), maps.copy()
    rows = np.arange(len(small))
    for steps in _STEPS[side]:
        value, found = _optimise(target[rows], large[rows], kept[rows], aspects[rows], side, steps)
        better = value > best[rows]
        best[rows[better]], kept[rows[better]] = value[better], found[better]
        rows = rows[best[rows] >= MIN_CORRELATION[side] - OUT_OF_REACH]
        if not len(rows):
            break
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
    rows, begun = np.arange(n), maps
    change, best = np.tile(IDENTITY, (n, 1)), np.full(n, -1, np.float32)
    kept, limit = change.copy(), np.float32(_LIMITS[side])
    for step in range(steps + 1):
        x, y = follow(change, u, v)
        moved, covered = sample(part, x + np.float32(0.5), y + np.float32(0.5))
        covered &= within(*follow(compose(maps, change), u, v))
        mask = covered.astype(np.float32)
        right = standardise(moved, mask)
        mean, length = moments(target, mask)
        # The values of `right` add up to 0, so that the mean of the target does not count here.
        value = np.einsum("nk,nk->n", target, right) / length
        value[mask.mean(axis=1) < _MIN_COVER] = -1
        gain = value - best[rows]
        better = gain > 0
        best[rows[better]], kept[rows[better]] = value[better], change[better]
        if step == steps:
            break
        if step:
            on = going_on(gain, best[rows], MIN_CORRELATION[side], step)
            if not on.any():
                break
            if not on.all():
                rows, target, part, maps, aspects, change, mask, right, mean, length = (
                    values[on]
                    for values in (rows, target, part, maps, aspects, change, mask, right, mean,
                                   length)
                )  # fmt: skip
        rest = target / length[:, None]
        rest -= (mean / length)[:, None]
        rest -= right
        move = _step(right, rest, mask, aspects, side)
        change = IDENTITY + np.clip(change + move - IDENTITY, -limit, limit)
    return best, compose(begun, kept)


def _step(
    right: np.ndarray, rest: np.ndarray, mask: np.ndarray, aspects: np.ndarray, side: int
) -> np.ndarray:
    """Return the change of the map, (n, 6), that brings `right` nearer by `rest`."""
    across, down = slopes(right, mask, side)
    u, v = centres(side)
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    aa, dd, ad = ((a * b @ terms).T for a, b in ((across, across), (down, down), (across, down)))
    across *= rest
    down *= rest
    a, d = (across @ terms[:, :3]).T, (down @ terms[:, :3]).T
    # Shift across, width, shift down, height and turn; a turn by t moves (u, v) by
    # (-t v / aspect, t u aspect).
    r = aspects.astype(np.float32)
    one, au, av, auu, auv, avv = range(6)
    turn = [r * ad[au] - aa[av] / r, r * ad[auu] - aa[auv] / r,
            r * dd[au] - ad[av] / r, r * dd[auv] - ad[avv] / r,
            r * r * dd[auu] - 2 * ad[auv] + aa[avv] / (r * r)]  # fmt: skip
    rows = [[aa[one], aa[au], ad[one], ad[av], turn[0]],
            [aa[au], aa[auu], ad[au], ad[auv], turn[1]],
            [ad[one], ad[au], dd[one], dd[av], turn[2]],
            [ad[av], ad[auv], dd[av], dd[avv], turn[3]],
            turn]  # fmt: skip
    normal = np.array(rows).transpose(2, 0, 1) * np.float32(side * side)
    sides = np.stack([a[0], a[1], d[0], d[2], r * d[1] - a[2] / r], axis=1) * np.float32(side)
    shift_x, wide, shift_y, high, angle = np.clip(solve_damped(normal, sides), -0.06, 0.06).T
    parts = [shift_x, wide, -angle / r, shift_y, angle * r, high]
    return np.stack(parts, axis=1).astype(np.float32)


def _contrast(images: np.ndarray, side: int) -> np.ndarray:
    """Remove what varies slowly, and even out the local contrast of images (n, side, side)."""
    fine, wide = blur_matrix(side, 0.7), blur_matrix(side, side / 10)
    small = fine @ images @ fine.T
    small = small - wide @ small @ wide.T
    power = wide @ small**2 @ wide.T
    return small / np.sqrt(power + 0.1 * power.mean(axis=(1, 2), keepdims=True) + 1e-6)
