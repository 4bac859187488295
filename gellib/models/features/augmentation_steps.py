"""The random steps of augmentation: crops, flips, rotation, colours, erasing; one function each.

They process 8-bit images with Pillow, like the transforms of the reference systems. Pillow uses
one thread, so that no setting of torch changes a pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance

from gellib.models.backbones import Preprocessing

Step = Callable[..., Image.Image]
STEPS: dict[str, Step] = {}

_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def step(function: Step) -> Step:
    """Register a random step: a function of (image, rng, preprocessing) and its numbers.

    `image` is grey (mode `L`) or colour (`RGB`), and the step returns the new image in the same
    mode. `rng` is its only source of random numbers. `preprocessing` gives size, interpolation and
    mean of the backbone's input. The numbers stand with their defaults and allowed ranges in
    `gellib.config.expressions.AUGMENTATION_STEPS`.
    """
    STEPS[function.__name__] = function
    return function


@step
def random_resized_crop(
    image: Image.Image,
    rng: np.random.Generator,
    preprocessing: Preprocessing,
    scale_min: float = 0.08,
) -> Image.Image:
    """Crop a random part, of aspect ratio 3:4 to 4:3, and resize it to the backbone's input.

    The part is chosen as by torchvision's RandomResizedCrop.

    Parameters
    ----------
    image, rng, preprocessing
        As for every `step`.
    scale_min
        Smallest area of the part, as a fraction of the image.
    """
    width, height = image.size
    for _ in range(10):
        area = width * height * rng.uniform(scale_min, 1)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            break
    else:  # a very long image: its centre, as large as the limits of the ratio allow
        w, h = min(width, round(height * 4 / 3)), min(height, round(width * 4 / 3))
        w, h = max(w, 1), max(h, 1)
        left, top = (width - w) // 2, (height - h) // 2
    return resize(image, preprocessing, (left, top, left + w, top + h))


@step
def random_crop(
    image: Image.Image,
    rng: np.random.Generator,
    preprocessing: Preprocessing,
    padding: float = 0.06,
) -> Image.Image:
    """Shift the image; the empty border is filled with the mirrored image.

    This is the same as padding all sides and cropping a window of the original size.

    Parameters
    ----------
    image, rng, preprocessing
        As for every `step`.
    padding
        Largest shift, as a fraction of the side.
    """
    places = []
    for side in image.size:
        reach = min(round(padding * side), side - 1)
        place = np.arange(side) + rng.integers(-reach, reach + 1)
        places.append(side - 1 - np.abs(side - 1 - np.abs(place)))
    return Image.fromarray(np.asarray(image)[places[1]][:, places[0]])


@step
def horizontal_flip(
    image: Image.Image, rng: np.random.Generator, preprocessing: Preprocessing, p: float = 0.5
) -> Image.Image:
    """Flip the image horizontally.

    Parameters
    ----------
    image, rng, preprocessing
        As for every `step`.
    p
        Probability of a flip.
    """
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < p else image


@step
def vertical_flip(
    image: Image.Image, rng: np.random.Generator, preprocessing: Preprocessing, p: float = 0.5
) -> Image.Image:
    """Flip the image vertically.

    Parameters
    ----------
    image, rng, preprocessing
        As for every `step`.
    p
        Probability of a flip.
    """
    return image.transpose(Image.Transpose.FLIP_TOP_BOTTOM) if rng.random() < p else image


@step
def rotation(
    image: Image.Image, rng: np.random.Generator, preprocessing: Preprocessing, degrees: float = 10
) -> Image.Image:
    """Rotate the image about its centre; its corners become black.

    Parameters
    ----------
    image, rng, preprocessing
        As for every `step`.
    degrees
        Largest angle in degrees, in both directions.
    """
    return image.rotate(rng.uniform(-degrees, degrees), _FILTERS[preprocessing.interpolation])


@step
def color_jitter(
    image: Image.Image,
    rng: np.random.Generator,
    preprocessing: Preprocessing,
    brightness: float = 0.2,
    contrast: float = 0.2,
    saturation: float = 0.2,
    hue: float = 0.02,
) -> Image.Image:
    """Change brightness, contrast, saturation and hue, in random order.

    Saturation and hue of a grey image do not change.

    Parameters
    ----------
    image, rng, preprocessing
        As for every `step`.
    brightness, contrast, saturation
        Each is multiplied by a factor between 1 - x and 1 + x.
    hue
        Largest change of the hue, in turns of the colour circle, in both directions.
    """
    factors = 1 + rng.uniform(-1, 1, 3) * [brightness, contrast, saturation]
    turn = rng.uniform(-hue, hue)
    for number in rng.permutation(4):
        if number < 2:
            kind = (ImageEnhance.Brightness, ImageEnhance.Contrast)[number]
            image = kind(image).enhance(factors[number])
        elif image.mode == "RGB" and number == 2:
            image = ImageEnhance.Color(image).enhance(factors[2])
        elif image.mode == "RGB":
            image = _rotate_hue(image, turn)
    return image


def _rotate_hue(image: Image.Image, turn: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    shift = round(turn * 256)  # the colour circle has 256 levels
    hue = hue.point([(number + shift) % 256 for number in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


@step
def random_erasing(
    image: Image.Image,
    rng: np.random.Generator,
    preprocessing: Preprocessing,
    p: float = 0.5,
    scale_max: float = 0.33,
) -> Image.Image:
    """Fill a random rectangle, of aspect ratio 1:3 to 3:1, with the mean colour.

    The mean is that of `preprocessing`, so that the rectangle is 0 in the backbone's input.

    Parameters
    ----------
    image, rng, preprocessing
        As for every `step`.
    p
        Probability of a rectangle.
    scale_max
        Largest area of the rectangle, as a fraction of the image; the smallest is 0.02.
    """
    if rng.random() >= p:
        return image
    width, height = image.size
    area = width * height * rng.uniform(0.02, scale_max)
    ratio = math.exp(rng.uniform(-math.log(3), math.log(3)))
    w = min(width, max(1, round(math.sqrt(area * ratio))))
    h = min(height, max(1, round(math.sqrt(area / ratio))))
    left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    mean = [round(255 * value) for value in preprocessing.mean]
    image = image.copy()
    color = tuple(mean) if image.mode == "RGB" else round(sum(mean) / len(mean))
    image.paste(color, (left, top, left + w, top + h))
    return image


def resize(
    image: Image.Image, preprocessing: Preprocessing, box: tuple[float, float, float, float]
) -> Image.Image:
    """Resize a part of an image, (left, top, right, bottom) in pixels, to the backbone's input."""
    size = (preprocessing.image_size, preprocessing.image_size)
    return image.resize(size, _FILTERS[preprocessing.interpolation], box=box)
