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


def wave(per_pixel, along=False, height=128, width=128, amplitude=60):
    """A picture of a sine of some cycles per pixel, across or along."""
    place = np.arange(height)[:, None] if along else np.arange(width)[None]
    levels = 128 + amplitude * np.sin(2 * np.pi * per_pixel * place)
    return np.broadcast_to(levels, (height, width)).round().astype(np.uint8)[None]


@pytest.mark.parametrize("octave", range(6))
@pytest.mark.parametrize("along", [False, True])
def test_each_octave_has_a_number_and_a_direction(octave, along):
    """Octaves from 1/128 cycles per pixel on; the power of the others is far lower."""
    frequency = 2.0 ** (octave - 7) * 2**0.5
    numbers = view_statistics(wave(frequency, along))
    power, ways = numbers[5:11], numbers[11:16]
    assert power.argmax() == octave
    assert N_STATISTICS == len(numbers) == 5 + 6 + 5 + 1
    if octave >= 1:
        # Lines that stand have their frequency across.
        assert ways[octave - 1] < -2 if along else ways[octave - 1] > 2


def test_power_is_squared_and_edges_are_compared_with_the_average():
    dim, bright = (view_statistics(wave(0.2, amplitude=a)) for a in (25, 50))
    assert abs((bright - dim)[9] - np.log10(4)) < 0.05
    flat = np.zeros((1, 64, 64), np.uint8)
    flat[:, :, 32:] = 255  # one edge, of 63 steps per row: above the 99th percentile
    steep = view_statistics(flat)[-1]
    assert abs(steep - np.log10((1 + 1e-3) / (1 / 63 + 1e-3))) < 1e-4
    ramp = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))[None]
    assert abs(view_statistics(ramp)[-1]) < 1e-4
