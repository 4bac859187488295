"""Affine maps from one small image into another, and the grey levels that they lead to."""

from __future__ import annotations

import numpy as np

# A map is six numbers: x = m0 + m1 u + m2 v, y = m3 + m4 u + m5 v. (u, v) are shares of the width
# and height of the first image, from its centre; (x, y) those of the second, from its corner.
IDENTITY = np.array([0, 1, 0, 0, 0, 1], np.float32)


def centres(side: int, pad: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return u and v of the pixels of a square image and of `pad` pixels around it, flat."""
    places = ((np.arange(-pad, side + pad) + 0.5) / side - 0.5).astype(np.float32)
    u, v = np.meshgrid(places, places)
    return u.ravel(), v.ravel()


def follow(maps: np.ndarray, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y, (n, places), of places u and v under n maps."""
    places = np.stack([np.ones_like(u), u, v])
    return maps[:, :3] @ places, maps[:, 3:] @ places


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the maps (n, 6) that apply `inner`, which starts and ends at the centre, first."""
    result = np.empty_like(outer)
    for at in (0, 3):
        base, across, down = outer[:, at], outer[:, at + 1], outer[:, at + 2]
        result[:, at] = base + across * inner[:, 0] + down * inner[:, 3]
        result[:, at + 1] = across * inner[:, 1] + down * inner[:, 4]
        result[:, at + 2] = across * inner[:, 2] + down * inner[:, 5]
    return result


def window_maps(windows: np.ndarray, degrees: np.ndarray, aspects: np.ndarray) -> np.ndarray:
    """Return the maps that fill windows of the second image, turned about their centres.

    Parameters
    ----------
    windows
        (n, 4): left, right, top and bottom, as shares of width and height.
    degrees
        (n,): the turn.
    aspects
        (n,): width of the second image divided by its height, so that a turn stays a turn.
    """
    left, right, top, bottom = np.asarray(windows, float).T
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    wide, high = right - left, bottom - top
    parts = [(left + right) / 2, cos * wide, -sin * high / aspects]
    parts += [(top + bottom) / 2, sin * wide * aspects, cos * high]
    return np.stack(parts, axis=1).astype(np.float32)


def sample(images: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate grey levels of square images (n, side, side) at places (n, places).

    Returns
    -------
    values
        (n, places); beyond the edge, those at the edge.
    inside
        (n, places): which places lie in the image.
    """
    n, side = images.shape[:2]
    column, row = x * side, y * side
    for place in (column, row):
        place -= 0.5
        np.clip(place, 0, side - 1.001, out=place)
    left, top = column.astype(np.int32), row.astype(np.int32)
    column -= left
    row -= top
    top *= side
    top += left
    top += (np.arange(n, dtype=np.int32) * side**2)[:, None]
    # `take` would convert them each time.
    at = top.astype(np.intp)
    flat = images.reshape(-1)
    upper, lower = _between(flat, at, column), _between(flat, at + side, column)
    lower -= upper
    lower *= row
    upper += lower
    return upper, within(x, y)


def within(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which places lie in the image, or on its edge."""
    across, down = x - np.float32(0.5), y - np.float32(0.5)
    np.abs(across, out=across)
    np.abs(down, out=down)
    return np.maximum(across, down, out=across) <= 0.5


def _between(values: np.ndarray, at: np.ndarray, share: np.ndarray) -> np.ndarray:
    low = values.take(at)
    high = values.take(at + 1)
    high -= low
    high *= share
    low += high
    return low
