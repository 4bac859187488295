"""Statistics of an image that need no backbone."""

import numpy as np
import pytest

from gellib.models.features.image_statistics import N_STATISTICS, _quantiles, view_statistics


@pytest.mark.parametrize("shape", [(1, 224, 224), (3, 64, 48), (1, 9, 8), (3, 2, 2), (1, 1, 7)])
@pytest.mark.parametrize("top", [1, 2, 40, 256])
def test_quantiles_are_those_of_numpy(shape, top):
    numbers = np.random.default_rng(0).integers(0, top, shape)
    shares = (0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0)
    np.testing.assert_allclose(_quantiles(numbers, shares), np.quantile(numbers, shares))


def test_what_they_describe():
    flat = np.full((1, 64, 64), 51, np.uint8)
    numbers = view_statistics(flat)
    assert len(numbers) == N_STATISTICS and numbers.dtype == np.float32
    np.testing.assert_allclose(numbers[:5], 0.2)
    np.testing.assert_allclose(numbers[5:11], -3, atol=1e-5, err_msg="no power but the floor")
    lines = np.zeros((1, 64, 64), np.uint8)
    lines[:, ::4] = 200  # they lie: their frequency runs along
    lying, standing = view_statistics(lines), view_statistics(lines.swapaxes(1, 2))
    octave = 5 + 6 + 4  # the last one: from a quarter to half a cycle per pixel
    assert lying[octave] < -2 < 2 < standing[octave]
    np.testing.assert_allclose(lying[:5], standing[:5])


def test_colour_and_grey_of_the_same_picture_agree():
    grey = np.random.default_rng(0).integers(0, 256, (1, 50, 60), dtype=np.uint8)
    colour = np.repeat(grey, 3, axis=0)
    np.testing.assert_allclose(view_statistics(colour), view_statistics(grey), atol=1e-5)
