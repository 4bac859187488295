"""What each step of an alignment computes, of many pairs of small images at once."""

from __future__ import annotations

from functools import cache

import numpy as np

# An alignment ends with a step that changes less than the first number, or gains less than the
# second where more than the third is missing. Chosen on the pairs of
# `tests/benchmarks/duplicates.py kinds`: none is lost, and half of the steps are saved.
_LEAST_CHANGE, _SLOW_GAIN, _FAR = 0.001, 0.01, 0.03
# A pair that lacks more than this after two steps does not come to enough.
OUT_OF_REACH = 0.2


def going_on(gain: np.ndarray, value: np.ndarray, enough: float, step: int) -> np.ndarray:
    """Return which pairs may still come to `enough`, or to a better place if they have.

    Parameters
    ----------
    gain
        (n,): correlation after a step, minus the best of those before.
    value
        (n,): the best so far, -1 to 1.
    enough
        Correlation from which an alignment goes on at the next size.
    step
        Number of the step, from 1.
    """
    on = np.abs(gain) >= _LEAST_CHANGE
    on &= (value >= enough - _FAR) | (gain >= _SLOW_GAIN)
    return on & (value >= enough - OUT_OF_REACH) if step > 1 else on


def moments(values: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of values (n, places) within a mask, and their length without the mean."""
    count = np.maximum(mask.sum(axis=1), 1)
    masked = values * mask
    mean = masked.sum(axis=1) / count
    squares = np.einsum("nk,nk->n", masked, masked) - count * mean**2
    return mean, np.maximum(np.sqrt(np.maximum(squares, 0)), 1e-6)


def standardise(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Scale values (n, places) to mean 0 and length 1 within a mask, 0 outside."""
    mean, length = moments(values, mask)
    result = values - mean[:, None]
    result *= mask
    result /= length[:, None]
    return result


def slopes(images: np.ndarray, mask: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the change of grey levels (n, side * side) per pixel across and down, in the mask."""
    n = len(images)
    across, down = np.empty_like(images), np.empty_like(images)
    # Over the ends of rows too, which are overwritten: one long difference is faster than many.
    flat, ends = across.reshape(-1), across.reshape(n, side, side)
    np.subtract(images.reshape(-1)[2:], images.reshape(-1)[:-2], out=flat[1:-1])
    square = images.reshape(n, side, side)
    for edge, (high, low) in ((0, (1, 0)), (-1, (-1, -2))):
        ends[:, :, edge] = 2 * (square[:, :, high] - square[:, :, low])
    np.subtract(images[:, 2 * side :], images[:, : -2 * side], out=down[:, side:-side])
    down[:, :side] = 2 * (images[:, side : 2 * side] - images[:, :side])
    down[:, -side:] = 2 * (images[:, -side:] - images[:, -2 * side : -side])
    half = mask * np.float32(0.5)
    across *= half
    down *= half
    return across, down


def solve_damped(matrices: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """Solve n symmetric systems (n, k, k) for (n, k), each with a little more on its diagonal."""
    k = matrices.shape[1]
    # Of each number all pairs: elimination in vectors, several times as fast as LAPACK's.
    rows = np.concatenate([matrices, sides[:, :, None]], axis=2).transpose(1, 2, 0).copy()
    damping = 2e-3 * sum(rows[i, i] for i in range(k)) + 1e-6
    for i in range(k):
        rows[i, i] += damping
    for i in range(k):
        rows[i, i + 1 :] /= rows[i, i]
        rows[i + 1 :, i + 1 :] -= rows[i + 1 :, i : i + 1] * rows[i, i + 1 :]
    for i in range(k - 1, 0, -1):
        rows[:i, k] -= rows[:i, i] * rows[i, k]
    return rows[:, k].T


@cache
def edge_terms(side: int) -> tuple[np.ndarray, ...]:
    """Return how far each pixel moves with an edge of the window, and products of that.

    Left and right, top and bottom, (side * side, 2) each; products of two horizontal edges, of a
    horizontal and a vertical one, of two vertical ones, (side * side, 4) each.
    """
    places = ((np.arange(side) + 0.5) / side).astype(np.float32)
    v, u = (plane.ravel() for plane in np.meshgrid(places, places, indexing="ij"))
    x, y = np.stack([1 - u, u], axis=1), np.stack([1 - v, v], axis=1)
    pairs = ((x, x), (x, y), (y, y))
    products = [(a[:, :, None] * b[:, None, :]).reshape(-1, 4) for a, b in pairs]
    return x, y, *(np.ascontiguousarray(product) for product in products)
