"""What is done to a whole image: margins around it, mirrored, turned by right angles, inverted."""

from __future__ import annotations

import numpy as np
from PIL import Image

# The eight symmetries of a square: number 4 t + 2 v + h is transposed if t, then flipped top to
# bottom if v, then left to right if h. Number 0 leaves the image as it is.
SYMMETRIES = 8
# A row or column is even if its grey levels (0 to 255) span at most this: the noise of a JPEG on a
# white margin spans less, the rows of an image more. Chosen by hand.
EVEN_RANGE = 12
# The same as a share of the range of the image, for dim images.
_EVEN_SHARE = 0.08
# What is left of a side without its margins, as a share of it, is at least this; otherwise the
# image is a small thing on an even ground, and its place counts. Chosen by hand;
# `tests/benchmarks/duplicates.py kinds` measures what is missed and what is taken for a copy.
_MIN_CONTENT = 0.25
_ROUNDS = 3
# Pixels, and the largest share of a side, that are cut off beside a margin.
_RIM, _RIM_SHARE = 7, 0.04


def busy_spans(grey: np.ndarray, even: float = EVEN_RANGE) -> tuple[slice, slice] | None:
    """Return the rows and columns within the even strips of the four sides; None if all is even.

    Rows and columns are even if their grey levels span at most `even`.
    """
    spans = []
    for axis in (1, 0):
        ranges = grey.max(axis=axis).astype(int) - grey.min(axis=axis)
        busy = np.flatnonzero(ranges > even)
        if not len(busy):
            return None
        spans.append(slice(int(busy[0]), int(busy[-1]) + 1))
    return spans[0], spans[1]


def without_margins(grey: np.ndarray) -> np.ndarray:
    """Cut even margins off a grey image (height, width), a frame line and what is in it too."""
    inner = grey
    for _ in range(_ROUNDS):
        low, high = grey_percentiles(inner, (0.02, 0.98))
        spans = busy_spans(inner, float(np.clip(_EVEN_SHARE * (high - low), 2, EVEN_RANGE)))
        if spans is None:
            break
        if inner[spans].shape == inner.shape:
            break
        inner = inner[tuple(map(_shaved, spans, inner.shape))]
    enough = all(
        kept >= _MIN_CONTENT * full for kept, full in zip(inner.shape, grey.shape, strict=True)
    )
    return inner if enough else grey


def count_levels(grey: np.ndarray) -> np.ndarray:
    """Return how many pixels of a uint8 image, (height, width), have each level: (256,)."""
    # Several times as fast as `np.bincount`, which makes 64 bits of each pixel first.
    return np.array(Image.fromarray(grey).histogram())


def grey_percentiles(grey: np.ndarray, shares: tuple[float, ...]) -> list[float]:
    """Return what `np.quantile` does for uint8 pixels, by counting them."""
    below = np.cumsum(count_levels(grey))
    places = [share * (grey.size - 1) for share in shares]
    steps = [(int(place), min(int(place) + 1, grey.size - 1)) for place in places]
    ends = np.searchsorted(below, steps, side="right").astype(float)
    return [
        float(low + (place - int(place)) * (high - low))
        for place, (low, high) in zip(places, ends, strict=True)
    ]


def _shaved(span: slice, full: int) -> slice:
    """Cut a little more where a margin was cut: a JPEG leaves a rim of it, up to 7 pixels wide."""
    more = min(_RIM, round(_RIM_SHARE * (span.stop - span.start)))
    return slice(span.start + more * (span.start > 0), span.stop - more * (span.stop < full))


def transform(images: np.ndarray, symmetry: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Mirror, turn and invert images.

    Parameters
    ----------
    images
        (n, side, side), of mean 0 if any is inverted.
    symmetry
        (n,): number of the symmetry, 0 to 7.
    negative
        (n,): whether the sign changes.
    """
    result = images.copy()
    for number in np.unique(symmetry):
        rows = symmetry == number
        view = images[rows]
        view = view.transpose(0, 2, 1) if number & 4 else view
        view = view[:, ::-1] if number & 2 else view
        result[rows] = view[:, :, ::-1] if number & 1 else view
    result[negative] *= -1
    return result
