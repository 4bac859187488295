"""Align one small image with another: shift and stretch it until the two agree best."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from gellib.data.duplicates.gauss_newton import (
    edge_terms,
    going_on,
    moments,
    slopes,
    solve_damped,
    standardise,
)
from gellib.data.duplicates.threads import batches, in_threads
from gellib.data.duplicates.variants import transform

FULL = 64
SIDES = (16, 32, FULL)
_STEPS = {16: 8, 32: 6, FULL: 4}
WHOLE = np.array([0.0, 1.0, 0.0, 1.0], np.float32)
# Largest distance of an edge of one image from the same edge of the other, as a share of the side.
# No benchmark set it: it leaves room for the crops of up to 10 % per side that count as copies.
MAX_SHIFT = np.float32(0.15)
# A pair that agrees less than this at a size is not compared at the next. Of 2,497 alignments that
# find copies in `tests/benchmarks/duplicates.py kinds`, the lowest are 0.63, 0.75 and 0.78.
MIN_AGREEMENT = {16: 0.62, 32: 0.7, FULL: 0.7}
BATCH = 128
_CENTRES = {side: ((np.arange(side) + 0.5) / side).astype(np.float32) for side in SIDES}


def detail(images: np.ndarray, side: int) -> np.ndarray:
    """Reduce images (n, 64, 64) to `side` pixels and remove what varies slowly.

    Light falls off in the same way in many photographs; what remains is the content of the image.
    Local contrast is normalised, so that the edge of the paper does not outweigh the gels on it.
    Each result has mean 0 and length 1; a uniform image becomes 0.
    """
    n, factor = len(images), FULL // side
    small = images.reshape(n, side, factor, side, factor).mean(axis=(2, 4), dtype=np.float32)
    small = blur(small, 0.7)
    small -= blur(small, side / 10)
    power = blur(small**2, side / 10)
    small /= np.sqrt(power + 0.1 * power.mean(axis=(1, 2), keepdims=True) + 1e-6)
    small -= small.mean(axis=(1, 2), keepdims=True)
    length = np.sqrt(np.einsum("nij,nij->n", small, small))[:, None, None]
    return np.divide(small, length, out=np.zeros_like(small), where=length > 0.1)


def crop(images: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Cut the same window (left, right, top, bottom) out of all images, and stretch it."""
    side = images.shape[1]
    across, _ = _resampling(window[None, 0], window[None, 1], side)
    down, _ = _resampling(window[None, 2], window[None, 3], side)
    return down @ images.astype(np.float32) @ across.transpose(0, 2, 1)


def agreement(
    images: np.ndarray,
    details: dict[int, np.ndarray],
    first: np.ndarray,
    second: np.ndarray,
    start: np.ndarray,
    symmetry: np.ndarray,
    negative: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Align pairs from coarse to fine.

    Parameters
    ----------
    images
        (n, 64, 64).
    details
        By side in pixels, the result of `detail` for all images.
    first, second
        (pairs,): positions of the two images of each pair.
    start
        (pairs, 4): left, right, top and bottom of the first image within the second, as shares of
        its side, to begin with.
    symmetry, negative
        (pairs,): what is done to the first image before, as `variants.transform` takes it.

    Returns
    -------
    values
        (pairs,): agreement after the alignment, -1 to 1; 1 is the same image.
    windows
        (pairs, 4): where the first image lies within the second, as `start`.
    """
    result = np.full(len(first), -1.0, np.float32)
    windows = start.astype(np.float32)

    def begin(rows: np.ndarray) -> np.ndarray:
        return at_side(rows, SIDES[0])

    def finish(rows: np.ndarray) -> None:
        for side in SIDES[1:]:
            rows = at_side(rows, side)
            if not len(rows):
                return
        warped, mask = _warp(images[second[rows]], windows[rows])
        a = transform(images[first[rows]], symmetry[rows], negative[rows])
        result[rows] = local_correlation(a, warped, mask)

    def at_side(rows: np.ndarray, side: int) -> np.ndarray:
        a = transform(details[side][first[rows]], symmetry[rows], negative[rows])
        b = details[side][second[rows]]
        enough = MIN_AGREEMENT[side]
        value, windows[rows] = _optimise_window(a, b, windows[rows], _STEPS[side], enough)
        return rows[value >= enough]

    kept = list(in_threads(begin, batches(np.arange(len(first)), BATCH)))
    if kept:
        list(in_threads(finish, batches(np.concatenate(kept), BATCH // 4)))
    return result, windows


def local_correlation(a: np.ndarray, b: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mean over the image of the correlation around each pixel.

    A border, a caption or a gradient of light that two images share makes them agree only there.
    """
    fine = [_band_pass(image.astype(np.float32), 0.7, 2.5) * mask for image in (a, b)]
    share = blur(mask, 2.5) + 1e-6
    mean = [blur(image, 2.5) / share for image in fine]
    power = [
        np.maximum(blur(image**2, 2.5) / share - middle**2, 0)
        for image, middle in zip(fine, mean, strict=True)
    ]
    both = blur(fine[0] * fine[1], 2.5) / share - mean[0] * mean[1]
    # The constant keeps rounding to 8 bits from counting as agreement.
    local = both / np.sqrt(power[0] * power[1] + 0.02)
    return (local * mask).sum(axis=(1, 2)) / mask.sum(axis=(1, 2))


def _optimise_window(
    a: np.ndarray, b: np.ndarray, window: np.ndarray, steps: int, enough: float
) -> tuple[np.ndarray, np.ndarray]:
    """Optimise the four edges by Gauss-Newton; return the best correlation and its window."""
    n, side = a.shape[:2]
    a, rows = a.reshape(n, -1), np.arange(n)
    best, kept = np.full(n, -1.0, np.float32), window.copy()
    for step in range(steps + 1):
        warped, mask = (part.reshape(len(rows), -1) for part in _warp(b, window))
        right = standardise(warped, mask)
        mean, length = moments(a, mask)
        # The values of `right` add up to 0, so that the mean of `a` does not count here.
        value = np.einsum("nk,nk->n", a, right) / length
        gain = value - best[rows]
        better = gain > 0
        best[rows[better]], kept[rows[better]] = value[better], window[better]
        if step == steps:
            break
        if step:
            on = going_on(gain, best[rows], enough, step)
            if not on.any():
                break
            if not on.all():
                rows, a, b, window, mask, right, mean, length = (
                    part[on] for part in (rows, a, b, window, mask, right, mean, length)
                )
        rest = a / length[:, None]
        rest -= (mean / length)[:, None]
        rest -= right
        move = _window_step(right, rest, mask, window, side)
        window = WHOLE + np.clip(window + np.clip(move, -0.05, 0.05) - WHOLE, -MAX_SHIFT, MAX_SHIFT)
    return best, kept


def _window_step(
    right: np.ndarray, rest: np.ndarray, mask: np.ndarray, window: np.ndarray, side: int
) -> np.ndarray:
    """Return the change of the four edges, (n, 4), that brings `right` nearer by `rest`."""
    n = len(right)
    across, down = slopes(right, mask, side)
    x, y, xx, xy, yy = edge_terms(side)
    h, g = np.empty((n, 4, 4), np.float32), np.empty((n, 4), np.float32)
    h[:, :2, :2] = ((across * across) @ xx).reshape(n, 2, 2)
    h[:, 2:, 2:] = ((down * down) @ yy).reshape(n, 2, 2)
    h[:, :2, 2:] = ((across * down) @ xy).reshape(n, 2, 2)
    h[:, 2:, :2] = h[:, :2, 2:].transpose(0, 2, 1)
    across *= rest
    down *= rest
    g[:, :2], g[:, 2:] = across @ x, down @ y
    # Pixels of the second image that the first covers, over its share.
    scale = np.repeat(side / (window[:, 1::2] - window[:, ::2]), 2, axis=1)
    h *= scale[:, :, None] * scale[:, None]
    return solve_damped(h, g * scale)


def _warp(images: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each image within its window, and the mask of where the image covers it."""
    side = images.shape[1]
    across, inside_x = _resampling(window[:, 0], window[:, 1], side)
    down, inside_y = _resampling(window[:, 2], window[:, 3], side)
    warped = down @ images.astype(np.float32, copy=False) @ across.transpose(0, 2, 1)
    return warped, inside_y[:, :, None] * inside_x[:, None, :]


def _resampling(low: np.ndarray, high: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return matrices that interpolate at `side` places between two edges; which are inside."""
    places = (low[:, None] + (high - low)[:, None] * _CENTRES[side]) * side - 0.5
    inside = ((places >= -0.5) & (places <= side - 0.5)).astype(np.float32)
    places = np.clip(places, 0, side - 1)
    before = np.minimum(places.astype(np.int32), side - 2)
    matrix = np.zeros((*places.shape, side), np.float32)
    # Where the flat matrix has the first of the two shares of each place.
    at = np.arange(0, matrix.size, side) + before.ravel()
    after = (places - before).ravel()
    flat = matrix.reshape(-1)
    flat[at], flat[at + 1] = 1 - after, after
    return matrix, inside


@cache
def blur_matrix(size: int, sigma: float) -> np.ndarray:
    """Return the matrix that blurs columns of `size` pixels by a Gaussian."""
    return gaussian_filter(np.eye(size, dtype=np.float32), (sigma, 0), mode="nearest")


def blur(images: np.ndarray, sigma: float) -> np.ndarray:
    """Blur square images (n, side, side): matrix products take a fifth of the time of a filter."""
    matrix = blur_matrix(images.shape[1], sigma)
    return matrix @ images @ matrix.T


def _band_pass(images: np.ndarray, fine: float, coarse: float) -> np.ndarray:
    return blur(images, fine) - blur(images, coarse)
