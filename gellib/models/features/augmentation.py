"""Views of an image: the plain one, and random ones that are drawn again just the same."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from gellib.base.calls import Call, read_calls
from gellib.models.backbones import Preprocessing, normalise, stretch_contrast
from gellib.models.features.steps import STEPS, known_steps, resize

# An image this many times larger than the network's input is shrunk once before all its views.
_SHRINK_FROM = 8


def check_augmentation(text: str) -> list[Call]:
    """Read `random_resized_crop horizontal_flip rotation(10)`; `none` or nothing is no step.

    Raises
    ------
    ValueError
        For unknown steps, with the nearest known one, and for wrong numbers.
    """
    example = "horizontal_flip rotation(10)"
    return read_calls(text, known_steps(), parameter="augmentation", noun="step", example=example)


def prepare(image: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """Make the plain view of an image: (channels, H, W) float, normalised for the network."""
    return normalise(torch.from_numpy(unaugmented_view(image, preprocessing)), preprocessing)


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


def unaugmented_view(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Make the plain view in uint8, (1 or 3, image_size, image_size)."""
    return _channels_first(_centre(_picture(image, preprocessing), preprocessing))


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
    original = _shrink(_picture(image, preprocessing), size)
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


def _picture(image: np.ndarray, preprocessing: Preprocessing) -> Image.Image:
    # Of the whole image, not of what is cut out: how bright a band is then does not depend on
    # where the view lies.
    stretched = preprocessing.contrast == "stretch"
    return Image.fromarray(stretch_contrast(image) if stretched else image)


def _shrink(image: Image.Image, size: int) -> Image.Image:
    factor = min(image.size) * 2 // (_SHRINK_FROM * size)
    return image.reduce(factor) if factor > 1 else image


def _centre(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    # Resize, then crop, in one go: only what is cut out is computed, so that an image of
    # 1 x 100,000,000 pixels is no bomb.
    width, height = image.size
    side = min(width, height) * preprocessing.image_size / preprocessing.resize_size
    left, top = (width - side) / 2, (height - side) / 2
    return resize(image, preprocessing, (left, top, left + side, top + side))


def _channels_first(image: Image.Image) -> np.ndarray:
    pixels = np.array(image)  # a copy: torch warns of arrays that cannot be written
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
