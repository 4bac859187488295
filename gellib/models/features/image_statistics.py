"""Statistics of an image that need no backbone: grey levels, roughness, directions, edges.

Backbones that were trained to distinguish objects hardly respond to these: an empty page, a
gradient or weak noise may have the features of an image that they know.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
# Borders of the octaves of spatial frequency, in cycles per pixel.
BANDS = 0.5 ** np.arange(7, 0, -1)
ACROSS, ALONG, _NEITHER = range(3)
SMALL = 1e-3
N_STATISTICS = len(QUANTILES) + 2 * (len(BANDS) - 1)


def view_statistics(view: np.ndarray) -> np.ndarray:
    """Describe a view (channels, H, W), uint8, by (N_STATISTICS,) numbers, float32.

    They are quantiles of the grey level; for each octave of spatial frequency the logarithm of its
    power, and of the ratio of its power across to its power along; and how much steeper the
    steepest edges are than the average.
    """
    levels = view.sum(axis=0, dtype=np.int32)  # whole numbers: counts have all quantiles
    top = 255 * len(view)
    grey = levels.astype(np.float32) / top
    window, kinds, counts = spectrum(*grey.shape)
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    sums = np.bincount(kinds, weights=power.ravel(), minlength=counts.size).reshape(counts.shape)
    octaves = _log_mean(sums.sum(axis=1), counts.sum(axis=1))
    across, along = (
        _log_mean(sums[:, ACROSS], counts[:, ACROSS]),
        _log_mean(sums[:, ALONG], counts[:, ALONG]),
    )
    steps = np.abs(np.diff(levels, axis=1))
    (steepest,) = _quantiles(steps, (0.99,)) / top
    edges = np.log10((steepest + SMALL) / (steps.mean() / top + SMALL))
    numbers = [_quantiles(levels, QUANTILES) / top, octaves[1:-1], (across - along)[2:-1], [edges]]
    return np.concatenate(numbers).astype(np.float32)


def _log_mean(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.log10(sums / np.maximum(counts, 1) + SMALL)


def _quantiles(numbers: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Compute quantiles of whole numbers from 0, as `np.quantile` does, in a tenth of its time."""
    if numbers.size == 0:
        return np.zeros(len(shares))
    ends = np.cumsum(np.bincount(numbers.ravel()))
    places = np.asarray(shares) * (numbers.size - 1)
    below = np.floor(places)
    low, high = (np.searchsorted(ends, at, side="right") for at in (below, np.ceil(places)))
    return low + (places - below) * (high - low)


@cache
def spectrum(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the window, the kind of each frequency, and how many there are of each.

    The kinds are an octave's frequencies that run across, along, or neither way: (octaves, 3).
    """
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    down = np.abs(np.fft.fftfreq(height))[:, None]
    right = np.fft.rfftfreq(width)[None]
    octave = np.digitize(np.hypot(down, right), BANDS)
    way = np.select([down < 0.4 * right, right < 0.4 * down], [ACROSS, ALONG], _NEITHER)
    shape = len(BANDS) + 1, 3
    kinds = (octave * shape[1] + way).ravel()
    return window, kinds, np.bincount(kinds, minlength=shape[0] * shape[1]).reshape(shape)
