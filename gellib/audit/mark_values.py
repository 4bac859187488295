"""What marks are found by: single numbers of an image, and how its edges stand out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter

from gellib.data.duplicates.image_traits import ImageTraits

# Weights of the bins at the ends of the histogram, black first, then white: for darkest pixels a
# few levels off black, and for brightest off white. Logistic regressions of 400 simulated gels and
# 200 other simulated images: with 5 to 12 added, and darkened, all over or in the corners. In
# images that were not among these, brightness +8 is told from none with AUC 0.95 (other images
# 0.90, real brain MRI 0.93, real gels 0.72), darker corners with 0.90 (0.88, 0.80, 0.73).
_LIFTED = np.array([-1.3, -0.5, -0.1, 0.4, 0.4, 0.4, -0.2, 0, 0.4, -0.3, -0.4, 0, 0.2, 0, 0, 0.1])
_DARKENED = np.array([0.3, 0, 0, 0.1, -0.2, 0.1, 0, 0.1, -1.3, -0.4, 0, 0.2, 0.1, 0, 0.1, 0.1])
# Larger changes of brightness or contrast: darkest and brightest pixels so far off.
_OFFSET = (13, 40)
# Weights of the frequency bands, coarse to fine, whose sum is high in softened images. A linear
# discriminant of 160 simulated gels and the same, softened by 1 pixel. One soft image is told from
# one that is not with AUC 0.98, on real brain MRI too; gels from other simulated images with 0.48.
_SOFT = np.array([0.3, 0, 3, 0, -0.8, 0, -5.5, 0, 1.7])
# Cells around one by whose mean and spread it is scaled, so that content, which is wider, cancels
# out, and the least spread.
_AROUND, _LEAST_AROUND = 15, 0.05
# A cell's spread is at least this share of the spread of all cells, so that a corner that is empty
# in all images does not count as a perfect witness.
_LEAST_SPREAD = 0.1


def single_numbers(traits: Sequence[ImageTraits]) -> dict[str, np.ndarray]:
    """Return the single numbers of each kind, (n, numbers)."""
    levels, bands, grain = (
        np.array([getattr(one, name) for one in traits], float)
        for name in ("levels", "bands", "grain")
    )
    # The level of 0.01 % of the pixels, as larger offsets show in fewer.
    far = [
        np.where(level < _OFFSET[0], -1, level <= _OFFSET[1])
        for level in (levels[:, 1], 255 - levels[:, 4])
    ]
    return {
        "levels": np.stack([levels[:, 6:] @ _LIFTED, levels[:, 6:] @ _DARKENED, *far], axis=1),
        "sharpness": (bands @ _SOFT)[:, None],
        "grain": (grain[:, 3] - grain[:, 5])[:, None],
        "compression": grain[:, 7:],
    }


def edge_cells(traits: Sequence[ImageTraits]) -> np.ndarray:
    """Return how much stronger edges are than around, in spreads of these, (n, 48 * 48)."""
    edges = np.log1p(np.array([one.edges for one in traits], np.float32))
    around = (0, _AROUND, _AROUND)
    local = edges - uniform_filter(edges, around)
    local /= np.sqrt(uniform_filter(local**2, around)) + _LEAST_AROUND
    return scaled(local.reshape(len(traits), -1))


def scaled(values: np.ndarray, least: float = _LEAST_SPREAD) -> np.ndarray:
    """Return columns of mean 0 and spread 1; `least` of the spread of all is added to each."""
    spread = values.std(axis=0) + least * values.std() + 1e-6
    return ((values - values.mean(axis=0)) / spread).astype(np.float32)
