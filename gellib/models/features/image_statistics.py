"""Statistics of an image that need no backbone: grey levels, roughness, directions, edges.

Backbones that were trained to distinguish objects hardly respond to these: an empty page, a
gradient or weak noise may have the features of an image that they know.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
# Borders of the octaves of spatial frequency, in cycles per pixel.
_BANDS = 0.5 ** np.arange(7, 0, -1)
_SMALL = 1e-3
N_STATISTICS = len(_QUANTILES) + 2 * (len(_BANDS) - 1)


def view_statistics(view: np.ndarray) -> np.ndarray:
    """Describe a view (channels, H, W), uint8, by (N_STATISTICS,) numbers, float32.

    They are quantiles of the grey level; for each octave of spatial frequency the logarithm of its
    power, and of the ratio of its power across to its power along; and how much steeper the
    steepest edges are than the average.
    """
    grey = view.astype(np.float32).mean(axis=0) / 255
    window, bands, across, along = _spectrum(*grey.shape)
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    levels = [_log_mean(power, bands == i) for i in range(1, len(_BANDS))]
    directions = [
        _log_mean(power, (bands == i) & across) - _log_mean(power, (bands == i) & along)
        for i in range(2, len(_BANDS))
    ]
    steps = np.abs(np.diff(grey, axis=1))
    edges = np.log10((np.quantile(steps, 0.99) + _SMALL) / (steps.mean() + _SMALL))
    numbers = [*np.quantile(grey, _QUANTILES), *levels, *directions, edges]
    return np.array(numbers, dtype=np.float32)


def _log_mean(power: np.ndarray, where: np.ndarray) -> float:
    return float(np.log10((power[where].mean() if where.any() else 0.0) + _SMALL))


@cache
def _spectrum(height: int, width: int) -> tuple[np.ndarray, ...]:
    """Return window, octave of each frequency, and which frequencies run across and along."""
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    down = np.abs(np.fft.fftfreq(height))[:, None]
    right = np.fft.rfftfreq(width)[None]
    bands = np.digitize(np.hypot(down, right), _BANDS)
    return window, bands, down < 0.4 * right, right < 0.4 * down
