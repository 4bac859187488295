"""Where the random steps cut, turn and cover, exactly."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gellib.models.backbones import Preprocessing
from gellib.models.features import augmentation_steps as steps_module
from gellib.models.features.augmentation import random_views, unaugmented_view
from gellib.models.features.augmentation_steps import STEPS

INPUT = Preprocessing(32, 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), color="grey")


def boxes(monkeypatch, width, height, n=400, **numbers):
    """The parts that `random_resized_crop` cuts out: left, top, width, height."""
    found = []

    def keep(image, preprocessing, box):
        left, top, right, bottom = box
        found.append((left, top, right - left, bottom - top))
        return image

    monkeypatch.setattr(steps_module, "resize", keep)
    rng = np.random.default_rng(0)
    for _ in range(n):
        STEPS["random_resized_crop"](Image.new("L", (width, height)), rng, INPUT, **numbers)
    return np.array(found)


def test_crops_have_the_areas_and_ratios_of_torchvision(monkeypatch):
    left, top, width, height = boxes(monkeypatch, 400, 300, n=2000).T
    area, ratio = width * height / (400 * 300), width / height
    assert 0.08 <= area.min() < 0.1 and 0.8 < area.max() <= 1
    assert 3 / 4 - 0.01 <= ratio.min() < 0.77 and 1.3 < ratio.max() <= 4 / 3 + 0.01
    # On an image that is wider than high, high parts fit less often.
    assert 0 < np.log(ratio).mean() < 0.06
    assert left.min() == 0 and top.min() == 0
    assert (left + width).max() == 400 and (top + height).max() == 300
    small = boxes(monkeypatch, 6, 6, scale_min=0.2).T
    assert {*small[0]} >= {0, 1, 2, 3} and (small[0] + small[2]).max() == 6


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((3000, 30), (1480, 0, 40, 30)),
        ((30, 3000), (0, 1480, 30, 40)),
        ((1000, 1), (499, 0, 1, 1)),
        ((1, 1000), (0, 499, 1, 1)),
    ],
)
def test_of_a_very_long_image_the_centre_is_taken(monkeypatch, size, expected):
    found = boxes(monkeypatch, *size, n=5, scale_min=0.9)
    assert {tuple(int(number) for number in one) for one in found} == {expected}


def test_rotation_goes_both_ways_and_no_further(monkeypatch):
    angles = []
    monkeypatch.setattr(
        Image.Image, "rotate", lambda image, angle, filter: angles.append(angle) or image
    )
    rng = np.random.default_rng(0)
    for _ in range(500):
        STEPS["rotation"](Image.new("L", (8, 8)), rng, INPUT, degrees=25)
    assert -25 <= min(angles) < -24 and 24 < max(angles) <= 25 and abs(np.mean(angles)) < 2


def test_erasing_reaches_every_border_and_keeps_its_shape():
    rng = np.random.default_rng(0)
    covered, shares, ratios = np.zeros((20, 30), int), [], []
    for _ in range(600):
        made = STEPS["random_erasing"](Image.new("L", (30, 20), 255), rng, INPUT, 1, 0.4)
        gone = np.asarray(made) != 255
        covered += gone
        rows, columns = np.flatnonzero(gone.any(1)), np.flatnonzero(gone.any(0))
        shares.append(gone.mean())
        ratios.append(len(columns) / len(rows))
    assert (covered > 0).all()
    # Where the ends are as likely as in a uniform draw, left and right are alike.
    assert abs(covered[:, :5].mean() / covered[:, -5:].mean() - 1) < 0.3
    assert abs(covered[:4].mean() / covered[-4:].mean() - 1) < 0.3
    assert 0.01 < min(shares) < 0.03 and 0.36 < max(shares) < 0.42
    assert abs(np.log(ratios).mean()) < 0.1 and max(map(abs, np.log(ratios))) < math.log(3) + 0.5


def test_the_unaugmented_view_is_the_centre_of_the_resized_image():
    """A ramp over the width: the view's ends tell what was cut out."""
    given = replace(INPUT, image_size=32, resize_size=64)
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8), (320, 1))
    view = unaugmented_view(ramp, given)[0]
    assert view.shape == (32, 32)
    # Half of the shorter side, in the middle: columns 240 to 400 of 640.
    assert abs(view[:, 0].mean() - 255 * 242.5 / 640) < 2
    assert abs(view[:, -1].mean() - 255 * 397.5 / 640) < 2
    assert unaugmented_view(np.stack([ramp, ramp, ramp], axis=2), given).shape == (3, 32, 32)


@pytest.mark.parametrize(("side", "factor"), [(255, 1), (256, 2), (383, 2), (384, 3)])
def test_large_images_are_reduced_by_a_whole_number(monkeypatch, side, factor):
    seen = []
    real = Image.Image.reduce
    monkeypatch.setattr(Image.Image, "reduce", lambda image, by: seen.append(by) or real(image, by))
    random_views(np.zeros((side, side), np.uint8), INPUT, [], seed=0, key=1, epochs=[1])
    assert seen == ([factor] if factor > 1 else [])
