"""Views of an image: the unaugmented one, and random ones that are reproducible."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from gellib.base.calls import Call
from gellib.config.expressions import check_augmentation
from gellib.models.backbones import Preprocessing, normalise, stretch_contrast
from gellib.models.features.augmentation_steps import STEPS, resize

# An image this many times larger than the backbone's input is reduced once for all its views.
_REDUCE_FROM = 8


def prepare(image: np.ndarray, preprocessing: Preprocessing) -> torch.Tensor:
    """Make the unaugmented view of an image, normalised for the backbone.

    Returns (channels, image_size, image_size), float32.
    """
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
    """Make one random view of an image, normalised for the backbone.

    It depends on the parameters only, so that it can be made again.

    Parameters
    ----------
    image
        Grey (H, W) or colour (H, W, 3), uint8.
    preprocessing
        Size and normalisation of the view.
    augmentation
        The random steps, as for `check_augmentation`.
    seed
        Seed of the run.
    key
        Number of the image: its `image_key`.
    epoch
        Number of the epoch; each has its own view.

    Returns
    -------
    torch.Tensor
        The view (channels, image_size, image_size), float32.

    Raises
    ------
    ValueError
        As `check_augmentation`.
    """
    steps = check_augmentation(augmentation)
    pixels = random_views(image, preprocessing, steps, seed=seed, key=key, epochs=[epoch])[0]
    return normalise(torch.from_numpy(pixels), preprocessing)


def image_key(digest: str) -> int:
    """Convert an image's sha256 to the number from which its random views are generated."""
    return int(digest[:16], 16)


def unaugmented_view(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Make the unaugmented view of an image (H, W) or (H, W, 3), uint8.

    Returns (1 or 3, image_size, image_size), uint8.
    """
    return _channels_first(_resize_and_crop(_to_pillow(image, preprocessing), preprocessing))


def random_views(
    image: np.ndarray,
    preprocessing: Preprocessing,
    steps: list[Call],
    *,
    seed: int,
    key: int,
    epochs: list[int] | range,
) -> np.ndarray:
    """Make one random view of an image per epoch.

    Parameters
    ----------
    image
        Grey (H, W) or colour (H, W, 3), uint8.
    preprocessing
        Size of the views, contrast and interpolation.
    steps
        The random steps, as `check_augmentation` returns them.
    seed
        Seed of the run.
    key
        Number of the image: its `image_key`.
    epochs
        Numbers of the epochs.

    Returns
    -------
    np.ndarray
        Views (epochs, 1 or 3, image_size, image_size), uint8.
    """
    size = preprocessing.image_size
    original = _reduce(_to_pillow(image, preprocessing), size)
    channels = 3 if image.ndim == 3 else 1
    views = np.empty((len(epochs), channels, size, size), dtype=np.uint8)
    for i, epoch in enumerate(epochs):
        rng = np.random.default_rng([seed, key, epoch])
        view = original
        for name, numbers in steps:
            view = STEPS[name](view, rng, preprocessing, **numbers)
        if view.size != (size, size):
            view = _resize_and_crop(view, preprocessing)
        views[i] = _channels_first(view)
    return views


def _to_pillow(image: np.ndarray, preprocessing: Preprocessing) -> Image.Image:
    # The contrast of the whole image, not of the crop: the brightness of a band then does not
    # depend on the position of the view.
    stretched = preprocessing.contrast == "stretch"
    return Image.fromarray(stretch_contrast(image) if stretched else image)


def _reduce(image: Image.Image, size: int) -> Image.Image:
    factor = min(image.size) * 2 // (_REDUCE_FROM * size)
    return image.reduce(factor) if factor > 1 else image


def _resize_and_crop(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    # Both at once: only the crop is computed, so that an image of 1 x 100,000,000 pixels does not
    # exhaust the memory.
    width, height = image.size
    side = min(width, height) * preprocessing.image_size / preprocessing.resize_size
    left, top = (width - side) / 2, (height - side) / 2
    return resize(image, preprocessing, (left, top, left + side, top + side))


def _channels_first(image: Image.Image) -> np.ndarray:
    pixels = np.array(image)  # a copy: torch warns about read-only arrays
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
