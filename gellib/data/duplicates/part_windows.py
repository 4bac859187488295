"""Windows of an image, and the coarse look of what is in them, by which parts are compared."""

from __future__ import annotations

import numpy as np
from scipy.fft import dct

from gellib.data.duplicates.align import blur_matrix
from gellib.data.duplicates.warp import centres, follow, sample, window_maps

_SIDE, _WAVES = 16, 10
# Windows: shares of a side that are left, and where they begin; the halves and thirds of a figure.
_SPANS = [
    (0.0, 1.0),
    *((s, s + 0.8) for s in (0, 0.1, 0.2)),
    *((s, s + 0.7) for s in (0, 0.1, 0.2, 0.3)),
]
WHOLE, _HALVES = (0.0, 1.0), [(0.0, 0.5), (0.5, 1.0)]
_THIRDS = [(0.0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1.0)]
_PLAIN = [
    (across, down) for across in _SPANS for down in _SPANS if across != down or across != WHOLE
]
_PLAIN += [(part, WHOLE) for part in _HALVES + _THIRDS]
_PLAIN += [(WHOLE, part) for part in _HALVES + _THIRDS]
_PLAIN += [(across, down) for across in _HALVES for down in _HALVES]
_TURNED = [(WHOLE, WHOLE), ((0.06, 0.94), (0.06, 0.94))]
_DEGREES = (-3.5, 3.5)
WINDOWS = np.array(
    [[*across, *down, 0] for across, down in _PLAIN]
    + [[*across, *down, degrees] for degrees in _DEGREES for across, down in _TURNED]
)
# A panel may have some of its surroundings with it: what is cut off, and where the whole then lies.
_LESS, _MORE = (0.1, 1.0), (0.0, 0.9)
PANEL_CUTS = [(WHOLE, WHOLE)]
PANEL_CUTS += [(_LESS, WHOLE), (_MORE, WHOLE), (WHOLE, _LESS), (WHOLE, _MORE)]
PANEL_WINDOWS = np.array(
    [
        [*((edge - low) / (high - low) for low, high in cut for edge in (0, 1)), 0]
        for cut in PANEL_CUTS
    ]
)


def window_waves(images: np.ndarray, aspects: np.ndarray) -> np.ndarray:
    """Return the waves of all windows of images (n, 32, 32): (windows, n, waves)."""
    parts = [cosine_waves(resample(images, across, down)) for across, down in _PLAIN]
    u, v = centres(images.shape[1])
    for degrees in _DEGREES:
        upright = np.tile([*WHOLE, *WHOLE], (len(images), 1))
        maps = window_maps(upright, np.full(len(images), degrees), aspects)
        turned = sample(images, *follow(maps, u, v))[0].reshape(images.shape)
        parts += [cosine_waves(resample(turned, across, down)) for across, down in _TURNED]
    return np.stack(parts)


def resample(
    images: np.ndarray, across: tuple[float, float], down: tuple[float, float]
) -> np.ndarray:
    """Average a window of images (n, side, side) to 16 pixels."""
    columns, rows = (_averages(images.shape[1], *span) for span in (across, down))
    return rows @ images @ columns.T


def _averages(side: int, low: float, high: float) -> np.ndarray:
    edges = (low + (high - low) * np.arange(_SIDE + 1) / _SIDE) * side
    pixels = np.arange(side)
    shares = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = np.maximum(shares, 0)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def cosine_waves(images: np.ndarray) -> np.ndarray:
    """Return the slow cosine waves of the contrast of images (n, 16, 16), of length 1."""
    fine, wide = blur_matrix(_SIDE, 0.7), blur_matrix(_SIDE, _SIDE / 10)
    small = fine @ images @ fine.T
    small = small - wide @ small @ wide.T
    power = wide @ small**2 @ wide.T
    small = small / np.sqrt(power + 0.1 * power.mean(axis=(1, 2), keepdims=True) + 1e-6)
    small -= small.mean(axis=(1, 2), keepdims=True)
    slow = dct(np.eye(_SIDE, dtype=np.float32), axis=0, norm="ortho")[:_WAVES]
    waves = (slow @ small @ slow.T).reshape(len(images), -1)
    length = np.linalg.norm(waves, axis=1, keepdims=True)
    # An even image has no direction.
    return np.divide(waves, length, out=np.zeros_like(waves), where=length > 0.5)


def likeness(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the coarse correlation (m, n) of small images (m, 64, 64) and (n, 64, 64)."""
    left, right = (
        cosine_waves(resample(images.astype(np.float32), WHOLE, WHOLE))
        for images in (first, second)
    )
    return left @ right.T
