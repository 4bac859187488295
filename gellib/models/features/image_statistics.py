"""What a picture is like before anything is recognised in it: tones, roughness, directions.

Networks that were trained to tell things apart are blind to much of this: a blank page, a gradient
or dim noise may have the features of a picture that they know.
"""

from __future__ import annotations

from functools import cache

import numpy as np

_TONES = (0.01, 0.25, 0.5, 0.75, 0.99)
# Cycles a pixel, an octave apart.
_BANDS = 0.5 ** np.arange(7, 0, -1)
_SMALL = 1e-3
N_STATISTICS = len(_TONES) + 2 * (len(_BANDS) - 1)


def view_statistics(view: np.ndarray) -> np.ndarray:
    """Describe a view, uint8 (channels, H, W), by `N_STATISTICS` numbers, float32.

    Quantiles of the grey level; for each octave of spatial frequency the logarithm of its power,
    and of its power across by that along; how rare steep edges are.
    """
    grey = view.astype(np.float32).mean(axis=0) / 255
    window, bands, across, along = _spectrum(*grey.shape)
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2
    mean = [_mean(power, bands == i) for i in range(1, len(_BANDS))]
    direction = [
        _mean(power, (bands == i) & across) - _mean(power, (bands == i) & along)
        for i in range(2, len(_BANDS))
    ]
    steps = np.abs(np.diff(grey, axis=1))
    edges = np.log10((np.quantile(steps, 0.99) + _SMALL) / (steps.mean() + _SMALL))
    return np.float32([*np.quantile(grey, _TONES), *mean, *direction, edges])


def _mean(power: np.ndarray, where: np.ndarray) -> float:
    return float(np.log10((power[where].mean() if where.any() else 0.0) + _SMALL))


@cache
def _spectrum(height: int, width: int) -> tuple[np.ndarray, ...]:
    window = np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)
    down = np.abs(np.fft.fftfreq(height))[:, None]
    right = np.fft.rfftfreq(width)[None]
    bands = np.digitize(np.hypot(down, right), _BANDS)
    return window, bands, down < 0.4 * right, right < 0.4 * down
