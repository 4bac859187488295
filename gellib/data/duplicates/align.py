"""Align one small image with another: shift and stretch it until the two agree best."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter

from gellib.data.duplicates.threads import batches, in_threads
from gellib.data.duplicates.variants import transform

FULL = 64
SIDES = (16, 32, FULL)
_STEPS = {16: 8, 32: 6, FULL: 4}
WHOLE = np.array([0.0, 1.0, 0.0, 1.0], np.float32)
# Largest distance of an edge of one image from the same edge of the other, as a share of the side.
# No benchmark set it: it leaves room for the crops of up to 10 % per side that count as copies.
MAX_SHIFT = np.float32(0.15)
# A pair that agrees less than this at a size is not compared at the next. Chosen by hand;
# `tests/benchmarks/duplicates.py kinds` measures what is missed.
MIN_AGREEMENT = {16: 0.62, 32: 0.65}
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
        value, windows[rows] = _optimise_window(a, b, windows[rows], _STEPS[side])
        return rows[value >= MIN_AGREEMENT.get(side, -1)]

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
    a: np.ndarray, b: np.ndarray, window: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Optimise the four edges by Gauss-Newton; return the best correlation and its window."""
    c = _CENTRES[a.shape[1]]
    basis = np.stack([1 - c, c])
    squares = np.stack([basis[0] ** 2, basis[0] * basis[1], basis[1] ** 2])
    best, kept = np.full(len(a), -1.0, np.float32), window
    for step in range(steps + 1):
        warped, mask = _warp(b, window)
        left, right = _standardise(a, mask), _standardise(warped, mask)
        value = np.einsum("nij,nij->n", left, right)
        better = value > best
        best, kept = np.where(better, value, best), np.where(better[:, None], window, kept)
        if step == steps:
            break
        gx, gy = _gradients(right, mask, window)
        rest = left - right
        h, g = np.empty((len(a), 4, 4), np.float32), np.empty((len(a), 4), np.float32)
        xx = np.einsum("nij,nij->nj", gx, gx) @ squares.T
        yy = np.einsum("nij,nij->ni", gy, gy) @ squares.T
        h[:, :2, :2] = xx[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        h[:, 2:, 2:] = yy[:, [0, 1, 1, 2]].reshape(-1, 2, 2)
        h[:, :2, 2:] = basis @ (gx * gy).transpose(0, 2, 1) @ basis.T
        h[:, 2:, :2] = h[:, :2, 2:].transpose(0, 2, 1)
        g[:, :2] = np.einsum("nij,nij->nj", gx, rest) @ basis.T
        g[:, 2:] = np.einsum("nij,nij->ni", gy, rest) @ basis.T
        damping = 2e-3 * np.einsum("nii->n", h) + 1e-6
        h += damping[:, None, None] * np.eye(4, dtype=np.float32)
        move = np.linalg.solve(h, g[:, :, None])[:, :, 0]
        window = WHOLE + np.clip(window + np.clip(move, -0.05, 0.05) - WHOLE, -MAX_SHIFT, MAX_SHIFT)
    return best, kept


def _warp(images: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each image within its window, and the mask of where the image covers it."""
    side = images.shape[1]
    across, inside_x = _resampling(window[:, 0], window[:, 1], side)
    down, inside_y = _resampling(window[:, 2], window[:, 3], side)
    warped = down @ images.astype(np.float32) @ across.transpose(0, 2, 1)
    return warped, inside_y[:, :, None] * inside_x[:, None, :]


def _resampling(low: np.ndarray, high: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return matrices that interpolate at `side` places between two edges; which are inside."""
    places = (low[:, None] + (high - low)[:, None] * _CENTRES[side]) * side - 0.5
    inside = ((places >= -0.5) & (places <= side - 0.5)).astype(np.float32)
    away = np.clip(places, 0, side - 1)[:, :, None] - np.arange(side, dtype=np.float32)
    return np.maximum(1 - np.abs(away), 0).astype(np.float32), inside


def _standardise(images: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Scale to mean 0 and length 1 within the mask, 0 outside."""
    count = mask.sum(axis=(1, 2), keepdims=True)
    masked = images * mask
    masked = (masked - masked.sum(axis=(1, 2), keepdims=True) / count) * mask
    length = np.sqrt(np.einsum("nij,nij->n", masked, masked))[:, None, None]
    return masked / np.maximum(length, 1e-6)


def _gradients(
    images: np.ndarray, mask: np.ndarray, window: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    side = images.shape[1]
    gy, gx = np.gradient(images, axis=(1, 2))
    gx *= mask * (side / (window[:, 1] - window[:, 0]))[:, None, None]
    gy *= mask * (side / (window[:, 3] - window[:, 2]))[:, None, None]
    return gx, gy


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
