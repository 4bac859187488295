"""Views of an image: the plain one, and random ones that are drawn again just the same.

Geometry works on 8-bit images with Pillow, as the reference systems' transforms do: one thread,
so that no setting of torch changes a pixel.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from gellib.backbones import Preprocessing, normalise
from gellib.calls import Call, Number, read_calls

Step = Callable[..., Image.Image]
STEPS: dict[str, Step] = {}
_BOUNDS: dict[str, dict[str, tuple[float, float]]] = {}

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}
# An image this many times larger than the network's input is shrunk once before all its views.
_SHRINK_FROM = 8


def step(**bounds: tuple[float, float]) -> Callable[[Step], Step]:
    """Register a random step: a function of (image, rng, preprocessing) and numbers with defaults.

    `bounds` gives the allowed range of each number. The step returns the new image and draws from
    `rng` alone.
    """

    def register(function: Step) -> Step:
        STEPS[function.__name__] = function
        _BOUNDS[function.__name__] = bounds
        return function

    return register


@step(scale_min=(0.01, 1))
def random_resized_crop(
    image: Image.Image,
    rng: np.random.Generator,
    preprocessing: Preprocessing,
    scale_min: float = 0.08,
) -> Image.Image:
    """Cut out a part of at least `scale_min` of the area, 3:4 to 4:3, at the network's size.

    Drawn as torchvision's RandomResizedCrop does.
    """
    width, height = image.size
    for _ in range(10):
        area = width * height * rng.uniform(scale_min, 1)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = rng.integers(width - w + 1), rng.integers(height - h + 1)
            break
    else:  # a very long image: its middle, as near to square as the limits of the ratio allow
        w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
        w, h = max(w, 1), max(h, 1)
        left, top = (width - w) // 2, (height - h) // 2
    return _resize(image, preprocessing, (left, top, left + w, top + h))


@step(p=(0, 1))
def horizontal_flip(
    image: Image.Image, rng: np.random.Generator, preprocessing: Preprocessing, p: float = 0.5
) -> Image.Image:
    """Mirror left and right with probability `p`."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < p else image


@step(degrees=(0, 180))
def rotation(
    image: Image.Image,
    rng: np.random.Generator,
    preprocessing: Preprocessing,
    degrees: float = 10,
) -> Image.Image:
    """Turn by up to `degrees` either way; the corners become black."""
    return image.rotate(rng.uniform(-degrees, degrees), _FILTERS[preprocessing.interpolation])


def check_augmentation(text: str) -> list[Call]:
    """Read `random_resized_crop horizontal_flip rotation(10)`; `none` or nothing is no step.

    Raises
    ------
    ValueError
        For unknown steps, with the nearest known one, and for wrong numbers.
    """
    known = {
        name: {key: Number(_default(name, key), *bounds) for key, bounds in numbers.items()}
        for name, numbers in _BOUNDS.items()
    }
    example = "horizontal_flip rotation(10)"
    return read_calls(text, known, parameter="augmentation", noun="step", example=example)


def _default(name: str, key: str) -> float:
    return float(inspect.signature(STEPS[name]).parameters[key].default)


def prepare(image: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """Make the plain view of an image: (channels, H, W) float, normalised for the network."""
    return normalise(torch.from_numpy(plain_view(image, preprocessing)), preprocessing)


def augment(
    image: np.ndarray,
    preprocessing: Preprocessing,
    augmentation: str,
    *,
    seed: int,
    key: int,
    epoch: int,
) -> torch.Tensor:
    """Make one random view: (channels, H, W) float, normalised for the network.

    It depends on the image, the steps, `seed`, `key` (of the image: `image_key`) and `epoch`
    alone.
    """
    steps = check_augmentation(augmentation)
    pixels = random_views(image, preprocessing, steps, seed=seed, key=key, epochs=[epoch])[0]
    return normalise(torch.from_numpy(pixels), preprocessing)


def image_key(digest: str) -> int:
    """Turn an image's sha256 into the number that its random views are drawn by."""
    return int(digest[:16], 16)


def plain_view(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Make the plain view in uint8, (1 or 3, image_size, image_size)."""
    return _channels_first(_centre(Image.fromarray(image), preprocessing))


def random_views(
    image: np.ndarray,
    preprocessing: Preprocessing,
    steps: list[tuple[str, dict[str, float]]],
    *,
    seed: int,
    key: int,
    epochs: list[int] | range,
) -> np.ndarray:
    """Make one random view per epoch in uint8, (epochs, 1 or 3, image_size, image_size)."""
    size = preprocessing.image_size
    original = _shrink(Image.fromarray(image), size)
    channels = 3 if image.ndim == 3 else 1
    views = np.empty((len(epochs), channels, size, size), dtype=np.uint8)
    for i, epoch in enumerate(epochs):
        rng = np.random.default_rng([seed, key, epoch])
        view = original
        for name, numbers in steps:
            view = STEPS[name](view, rng, preprocessing, **numbers)
        if view.size != (size, size):
            view = _centre(view, preprocessing)
        views[i] = _channels_first(view)
    return views


def _shrink(image: Image.Image, size: int) -> Image.Image:
    factor = min(image.size) * 2 // (_SHRINK_FROM * size)
    return image.reduce(factor) if factor > 1 else image


def _centre(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    # Resize, then crop, in one go: only what is cut out is computed, so that an image of
    # 1 x 100,000,000 pixels is no bomb.
    width, height = image.size
    side = min(width, height) * preprocessing.image_size / preprocessing.resize_size
    left, top = (width - side) / 2, (height - side) / 2
    return _resize(image, preprocessing, (left, top, left + side, top + side))


def _resize(
    image: Image.Image, preprocessing: Preprocessing, box: tuple[float, float, float, float]
) -> Image.Image:
    size = (preprocessing.image_size, preprocessing.image_size)
    return image.resize(size, _FILTERS[preprocessing.interpolation], box=box)


def _channels_first(image: Image.Image) -> np.ndarray:
    pixels = np.array(image)  # a copy: torch warns of arrays that cannot be written
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
