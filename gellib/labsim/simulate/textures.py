"""Smooth fields, natural textures, and the light that makes a drawing look photographed."""

from functools import cache

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps, resized

BANK_PX = 512
TEXTURES = ("cloud", "rough", "fine", "cells", "ridges", "fibres", "foliage")


def field(rng: np.random.Generator, width: int, height: int, cells: float = 4) -> np.ndarray:
    """Draw a smooth random field (height, width) of about unit variance, `cells` hills across.

    Parameters
    ----------
    rng
        Draws the values.
    height, width
        Pixels.
    cells
        Hills along the longer side.
    """
    across = max(2, round(cells * width / max(width, height)))
    down = max(2, round(cells * height / max(width, height)))
    hills = rng.standard_normal((down, across), dtype=np.float32)
    return resized(hills, width, height, Image.Resampling.BICUBIC)


@cache
def _bank(kind: str) -> np.ndarray:
    """Draw the three textures of one kind (3, 512, 512), mean 0.5 and about 0.25 spread."""
    rng = np.random.default_rng([20, TEXTURES.index(kind)])
    size = BANK_PX
    down, across = np.fft.fftfreq(size)[:, None] * size, np.fft.rfftfreq(size)[None, :] * size
    made = []
    for number in range(3):
        if kind in ("cells", "ridges"):
            seeds = rng.random((120 * 3**number, 2)) * size
            near = cKDTree(seeds, boxsize=size).query(
                np.moveaxis(np.mgrid[:size, :size], 0, -1).reshape(-1, 2) + 0.5, k=2
            )[0]
            image = (near[:, 1] - near[:, 0] if kind == "cells" else near[:, 0]).reshape(size, size)
        elif kind == "foliage":
            image = _foliage(rng, size, 0.02 * 1.6**number)
        else:
            slope = {"cloud": 1.9, "rough": 1.3, "fine": 0.8, "fibres": 1.2}[kind]
            squeeze = 8.0 + 6 * number if kind == "fibres" else 1.0
            power = np.hypot(np.hypot(down, across * squeeze), 1.5) ** -slope
            noise = rng.standard_normal(power.shape) + 1j * rng.standard_normal(power.shape)
            image = np.fft.irfft2(power * noise, (size, size))
        made.append(0.5 + 0.25 * (image - image.mean()) / image.std())
    return np.stack(made).astype(np.float32)


def _foliage(rng, size, radius):
    canvas = Canvas(size, size, 0.3, over=1)
    for x, y, angle, value in zip(*rng.random((4, round(2.2 / radius**2))), strict=True):
        turn = angle * 6.3
        along = np.array([np.cos(turn), np.sin(turn)]) * radius * (0.5 + value)
        side = np.array([-along[1], along[0]]) * 0.45
        centre = np.array([x, y])
        canvas.polygon([centre - along, centre + side, centre + along, centre - side], value**1.5)
    return canvas.array()


def texture(
    rng: np.random.Generator, width: int, height: int, kind: str | None = None, zoom: float = 1.0
) -> np.ndarray:
    """Cut a random window (height, width) out of a texture drawn once; about 0 to 1.

    Parameters
    ----------
    kind
        One of `TEXTURES`; drawn if not given.
    zoom
        Size of its grains: 1 shows a third of the texture across the image.
    """
    if kind is None:
        kind = TEXTURES[rng.integers(len(TEXTURES))]
    source = _bank(kind)[rng.integers(3)]
    window = float(np.clip(BANK_PX / 3 / zoom, 24, BANK_PX))
    across, down = window * width / max(width, height), window * height / max(width, height)
    left, top = rng.random() * (BANK_PX - across), rng.random() * (BANK_PX - down)
    cut = Image.fromarray(source).resize(
        (width, height), Image.Resampling.BILINEAR, (left, top, left + across, top + down)
    )
    flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
    return np.asarray(cut)[:, flip]


def shone_on(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Give a drawn scene what a photograph has: patchy light, cast shadows, haze, grain, blur."""
    height, width = image.shape
    if chance(rng, 0.5):
        light = 0.5 + 1.1 * texture(rng, width, height, "cloud", rng.uniform(0.4, 1))
        image = image * mix(1.0, light, rng.uniform(0.2, 0.9))
    if chance(rng, 0.25):
        shade = texture(rng, width, height, pick(rng, {"cloud": 2, "foliage": 1}), 0.6)
        image = image * (1 - rng.uniform(0.2, 0.6) / (1 + np.exp(-25 * (shade - 0.55))))
    if chance(rng, 0.3):
        # Sharp only in a window of the image, as with a wide aperture.
        soft = rng.uniform(2, 6)
        small = resized(image, max(4, round(width / soft)), max(4, round(height / soft)))
        x, y = ramps(width, height)
        away = ((x - rng.uniform(0.3, 0.7)) / 0.45) ** 4 + ((y - rng.uniform(0.3, 0.7)) / 0.45) ** 4
        blurred = resized(small, width, height, Image.Resampling.BICUBIC)
        image = mix(image, blurred, np.clip(away, 0, 1).astype(np.float32))
    return image
