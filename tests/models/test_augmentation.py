"""The random steps, by what they do to pixels."""

import inspect

import numpy as np
import pytest
from making.images import random_pixels
from PIL import Image, ImageEnhance

from gellib.config.expressions import AUGMENTATION_STEPS
from gellib.models.backbones import Preprocessing, normalise
from gellib.models.features import check_augmentation
from gellib.models.features.augmentation import random_views
from gellib.models.features.augmentation_steps import STEPS

SIZE = 32
INPUT = Preprocessing(SIZE, SIZE, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), color="rgb")


def picture(channels=3, height=SIZE, width=SIZE):
    shape = (height, width, channels) if channels == 3 else (height, width)
    return random_pixels(*shape)


def views(text, image, n=60, seed=0):
    steps = check_augmentation(text)
    made = random_views(image, INPUT, steps, seed=seed, key=1, epochs=range(n))
    return made.transpose(0, 2, 3, 1) if image.ndim == 3 else made[:, 0]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", STEPS)
def test_every_step_takes_grey_and_colour_and_is_drawn_again_the_same(name, channels):
    image = picture(channels, 40, 50)
    first = views(name, image, n=12)
    assert first.shape[1:3] == (SIZE, SIZE)
    assert (first == views(name, image, n=12)).all()
    assert len(np.unique(first, axis=0)) > 1
    assert (first != views(name, image, n=12, seed=1)).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_random_crop_is_a_window_of_the_image_padded_with_its_mirror(channels):
    image = picture(channels)
    pad = 4
    width = ((pad, pad), (pad, pad), (0, 0))[: image.ndim]
    padded = np.pad(image, width, mode="reflect")
    windows = {
        padded[y : y + SIZE, x : x + SIZE].tobytes(): (x, y)
        for x in range(2 * pad + 1)
        for y in range(2 * pad + 1)
    }
    found = [windows[view.tobytes()] for view in views("random_crop(0.125)", image, n=400)]
    assert {x for x, _ in found} == {y for _, y in found} == set(range(2 * pad + 1))
    assert (views("random_crop(0)", image) == image).all()


def test_random_crop_of_a_line_of_pixels_is_no_mistake():
    made = views("random_crop(0.5)", picture(1, 1, 90))
    assert made.shape == (60, SIZE, SIZE)


def test_vertical_flip_turns_upside_down():
    image = picture()
    flipped = (views("vertical_flip", image) == image[::-1]).all((1, 2, 3))
    same = (views("vertical_flip", image) == image).all((1, 2, 3))
    assert (flipped ^ same).all() and 15 < flipped.sum() < 45
    assert (views("vertical_flip(1)", image) == image[::-1]).all()
    assert (views("vertical_flip(0)", image) == image).all()


def test_brightness_multiplies():
    image = np.full((SIZE, SIZE, 3), 100, np.uint8)
    factors = views("color_jitter(0.3, 0, 0, 0)", image, n=300)[:, 0, 0, 0] / 100
    assert 0.7 <= factors.min() < 0.73 and 1.27 < factors.max() <= 1.3


def test_contrast_spreads_about_the_mean():
    image = picture(1) // 2 + 64
    made = views("color_jitter(0, 0.3, 0, 0)", image, n=200).astype(float)
    spread = made.std((1, 2)) / image.std()
    assert 0.69 < spread.min() < 0.75 and 1.25 < spread.max() < 1.31
    assert np.abs(made.mean((1, 2)) - image.mean()).max() < 1.5


def test_saturation_goes_to_grey_and_beyond():
    image = np.full((SIZE, SIZE, 3), (150, 100, 80), np.uint8)
    made = views("color_jitter(0, 0, 1, 0)", image, n=200)[:, 0, 0].astype(int)
    span = made.max(1) - made.min(1)
    assert span.min() < 10 and span.max() > 120
    expected = ImageEnhance.Color(Image.fromarray(image)).enhance(0).getpixel((0, 0))[0]
    assert abs(int(made[span.argmin()].mean()) - expected) <= 5


def test_hue_turns_round_the_circle():
    red = np.full((SIZE, SIZE, 3), (200, 20, 20), np.uint8)
    made = views("color_jitter(0, 0, 0, 0.5)", red, n=200)[:, 0, 0]
    assert set(made.argmax(1)) == {0, 1, 2}  # red becomes green and blue too
    assert (np.abs(made.max(1).astype(int) - 200) <= 2).all()
    near = views("color_jitter(0, 0, 0, 0.05)", red, n=100)[:, 0, 0]
    assert (near.argmax(1) == 0).all()
    assert (views("color_jitter(0, 0, 0, 0)", red, n=5) == red).all()


def test_colour_jitter_of_grey_ignores_colour():
    image = picture(1)
    assert (views("color_jitter(0, 0, 1, 0.5)", image) == image).all()


def test_erasing_covers_one_rectangle_with_what_the_network_takes_for_nothing():
    import torch

    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    shares, heights = [], []
    for view in views("random_erasing(1, 0.3)", image, n=200):
        gone = (view != 255).all(-1)
        rows, columns = np.flatnonzero(gone.any(1)), np.flatnonzero(gone.any(0))
        assert gone.sum() == len(rows) * len(columns)  # a rectangle, without holes
        shares.append(gone.mean())
        heights.append(len(rows) / len(columns))
        value = normalise(torch.from_numpy(view.transpose(2, 0, 1).copy()), INPUT)
        assert value[:, rows[0], columns[0]].abs().max() < 0.02
    assert 0.01 < min(shares) < 0.06 and 0.25 < max(shares) < 0.33
    assert min(heights) < 0.5 and max(heights) > 2 and max(heights) < 4
    untouched = (views("random_erasing(0.3)", image, n=300) == 255).all((1, 2, 3)).mean()
    assert 0.6 < untouched < 0.8


def test_steps_leave_the_image_as_it_was():
    image = picture()
    before = image.copy()
    views(" ".join(STEPS), image)
    assert (image == before).all()


def test_steps_work_one_after_another():
    image = picture()
    both = views("vertical_flip(1) horizontal_flip(1)", image, n=2)
    assert (both == image[::-1, ::-1]).all()


def test_the_table_of_steps_is_that_of_their_functions():
    for name, function in STEPS.items():
        _image, _rng, _preprocessing, *numbers = inspect.signature(function).parameters.values()
        table = AUGMENTATION_STEPS[name]
        assert {one.name: one.default for one in numbers} == {
            key: number.default for key, number in table.items()
        }, name
        assert all(number.low <= number.default <= number.high for number in table.values())
    assert list(STEPS) == list(AUGMENTATION_STEPS)
