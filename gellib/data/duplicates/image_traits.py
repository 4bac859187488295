"""Traits of an image that its making leaves: grey levels, sharpness, where edges are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.fft import dctn, rfft

from gellib.data.duplicates.variants import count_levels

# Cells per side of the maps; a date stamp of 1/25 of the height covers about two rows of them.
CELLS = 48
# Bands and grain are measured in the middle of an image, in at most this many pixels per side.
_MIDDLE = 768
# Limits of the frequency bands, cycles per pixel; 0.5 is the finest that pixels can hold.
_BANDS = (0.06, 0.09, 0.13, 0.18, 0.23, 0.28, 0.33, 0.38, 0.43, 0.48)
_JPEG_BLOCK = 8
# Limits of the bins at both ends of the histogram, in grey levels from black and from white.
_ENDS = (0, 1, 2, 4, 6, 9, 13, 21, 41)
# Coefficients of 8 x 8 blocks that a low JPEG quality makes zero: those of this order and beyond,
# by how large they are; they are counted in at most this many pixels per side.
_FINE, _SMALL, _COUNTED = 3, (8, 60), 512


@dataclass(frozen=True)
class ImageTraits:
    """What the making of one grey image leaves in it.

    `levels`, (22,), describes the ends of the histogram: the grey levels (0 to 255) below which
    none, 0.01 % and 0.1 % and 99 %, 99.9 % and all pixels are, and the logarithms of the shares of
    pixels in eight bins from black up, and eight from white down. `bands`, (9,), has the mean
    logarithms of the power in frequency bands from coarse to fine; `grain`, (8,), logarithms of the
    differences of neighbours at two resolutions, of noise, and of how many small coefficients are
    missing in the blocks of a JPEG.
    `edges`, (48, 48) float16, is the mean edge strength of each cell.
    """

    levels: np.ndarray
    bands: np.ndarray
    grain: np.ndarray
    edges: np.ndarray


def measure_traits(grey: np.ndarray) -> ImageTraits:
    """Measure a grey image, (height, width) uint8, of at least 2 x 2 pixels."""
    edges = steps(grey)
    # At a multiple of the block of a JPEG.
    top, left = (max(0, side - _MIDDLE) // 2 // _JPEG_BLOCK * _JPEG_BLOCK for side in grey.shape)
    middle = grey[top : top + _MIDDLE, left : left + _MIDDLE]
    return ImageTraits(
        levels=_levels(grey),
        bands=(_bands(middle) + _bands(middle.T)) / 2,
        grain=_grain(middle, edges if middle.shape == grey.shape else steps(middle)),
        edges=_cells(edges).astype(np.float16),
    )


def steps(grey: np.ndarray) -> np.ndarray:
    """Return the difference of each pixel from its right and lower neighbours, float32."""
    values = grey.astype(np.float32)
    found = np.zeros_like(values)
    found[:, :-1] += np.abs(np.diff(values, axis=1))
    found[:-1] += np.abs(np.diff(values, axis=0))
    return found


def _levels(grey: np.ndarray) -> np.ndarray:
    counts = count_levels(grey) / grey.size
    below = np.cumsum(counts)
    ends = [float(np.searchsorted(below, share)) for share in (1e-9, 1e-4, 1e-3, 0.99, 0.999)]
    shares = [np.add.reduceat(side[: _ENDS[-1]], _ENDS[:-1]) for side in (counts, counts[::-1])]
    return np.array([*ends, float(grey.max()), *np.log(np.concatenate(shares) + 1e-4)])


def _grain(grey: np.ndarray, edges: np.ndarray) -> np.ndarray:
    half = np.asarray(Image.fromarray(grey).reduce(2)) if min(grey.shape) >= 8 else grey
    twists = _twists(grey), _twists(half)
    flat = float(twists[0][0] / twists[0].sum()) if twists[0].any() else 1.0
    strengths = [edges.mean(), steps(half).mean()]
    for counts in twists:
        strengths += [_median(counts), _mean(counts)] if counts.any() else [0.0, 0.0]
    return np.array([*np.log(np.array(strengths) + 0.05), flat, _missing_in_blocks(grey)])


def _twists(grey: np.ndarray) -> np.ndarray:
    """Count second differences across the diagonal by size: noise, hardly any straight edge."""
    values = grey.astype(np.int16)
    twists = np.abs(values[1:, 1:] + values[:-1, :-1] - values[1:, :-1] - values[:-1, 1:])
    return np.bincount(twists.ravel(), minlength=1)


def _median(counts: np.ndarray) -> float:
    """Return the median of numbers that are given as how often there is 0, 1, 2 ..."""
    below, n = np.cumsum(counts), int(counts.sum())
    return float(np.searchsorted(below, [(n - 1) // 2, n // 2], side="right").mean())


def _mean(counts: np.ndarray) -> float:
    return float(counts @ np.arange(len(counts)) / counts.sum())


def _bands(grey: np.ndarray) -> np.ndarray:
    """Return the mean logarithm of the power of the rows in each frequency band."""
    values = np.diff(grey.astype(np.float32), axis=1)
    if values.shape[1] < 64:
        return np.zeros(len(_BANDS) - 1)
    window = np.hanning(values.shape[1]).astype(np.float32)
    waves = rfft((values - values.mean(axis=1, keepdims=True)) * window, axis=1)
    power = np.log(waves.real**2 + waves.imag**2 + 1).mean(axis=0, dtype=np.float64)
    places = np.searchsorted(np.linspace(0, 0.5, len(power)), _BANDS)
    return np.array([power[a:b].mean() for a, b in zip(places, places[1:], strict=False)])


def _missing_in_blocks(grey: np.ndarray) -> float:
    """Return how many times fewer small coefficients the blocks of a JPEG have, as a logarithm.

    A low quality makes them zero in the grid of its blocks; in another grid they are as before, so
    that what is shown cancels out.
    """
    if min(grey.shape) < 3 * _JPEG_BLOCK:
        return 0.0
    # The middle is cut out at a multiple of the block.
    top, left = (max(0, side - _COUNTED) // 2 // _JPEG_BLOCK * _JPEG_BLOCK for side in grey.shape)
    middle = grey[top : top + _COUNTED, left : left + _COUNTED].astype(np.float32)
    half = _JPEG_BLOCK // 2
    return float(np.log(_small(middle[half:, half:]) + 1e-3) - np.log(_small(middle) + 1e-3))


def _small(values: np.ndarray) -> float:
    """Return the share of the fine coefficients of all blocks that are small, and not zero."""
    high, wide = (side // _JPEG_BLOCK for side in values.shape)
    whole = values[: high * _JPEG_BLOCK, : wide * _JPEG_BLOCK]
    blocks = whole.reshape(high, _JPEG_BLOCK, wide, _JPEG_BLOCK).swapaxes(1, 2)
    sizes = np.abs(dctn(blocks, axes=(2, 3), norm="ortho"))
    fine = np.add.outer(np.arange(_JPEG_BLOCK), np.arange(_JPEG_BLOCK)) >= _FINE
    return float(((sizes > _SMALL[0]) & (sizes < _SMALL[1]))[:, :, fine].mean())


def _cells(values: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize((CELLS, CELLS), Image.Resampling.BOX))
