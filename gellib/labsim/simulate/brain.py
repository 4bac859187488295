"""Axial slices of a head as magnetic resonance shows them: scalp, skull, folds, ventricles."""

from dataclasses import dataclass, field

import numpy as np
from scipy.ndimage import map_coordinates

from gellib.labsim.simulate.draw import ramps
from gellib.labsim.simulate.textures import field as smooth_field

# How bright each tissue is, 0 to 1. Fat and fluid change places from one weighting to another.
WEIGHTINGS = {
    "T1": {"fluid": 0.12, "grey": 0.40, "white": 0.60, "scalp": 0.85, "skull": 0.10},
    "T1 contrast": {"fluid": 0.13, "grey": 0.38, "white": 0.46, "scalp": 0.92, "skull": 0.08},
    "T2": {"fluid": 0.92, "grey": 0.52, "white": 0.33, "scalp": 0.62, "skull": 0.06},
    "FLAIR": {"fluid": 0.09, "grey": 0.47, "white": 0.38, "scalp": 0.60, "skull": 0.10},
}
BRAIN_EDGE = 0.84  # of the head's radius
_BINS = (5, 56)  # of the folds: depth, angle


@dataclass
class Head:
    """What makes a person: shape, folds, and what age or disease has taken away.

    Attributes
    ----------
    width, height
        Half axes of the head as shares of the sides of the image.
    ventricle, sulcus
        Width of the ventricles and of the furrows; 1 is healthy, 2 is severe atrophy.
    folds
        Noise in depth and angle, whose zeros are the furrows.
    """

    width: float = 0.40
    height: float = 0.47
    tilt: float = 0.0
    taper: float = 0.1
    lopsided: float = 0.0
    ventricle: float = 1.0
    sulcus: float = 1.0
    horns: float = 1.0
    scalp: float = 0.93
    folds: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, np.float32))
    bends: np.ndarray = field(default_factory=lambda: np.zeros((2, 5, 5), np.float32))


def draw_head(rng: np.random.Generator) -> Head:
    """Draw a healthy head."""
    return Head(
        width=rng.uniform(0.36, 0.42),
        height=rng.uniform(0.43, 0.48),
        tilt=rng.normal(0, 0.04),
        taper=rng.uniform(0.04, 0.16),
        lopsided=rng.normal(0, 0.1),
        ventricle=np.exp(rng.normal(0, 0.16)),
        sulcus=np.exp(rng.normal(0, 0.12)),
        horns=rng.uniform(0.7, 1.2),
        scalp=rng.uniform(0.92, 0.965),
        folds=rng.standard_normal(_BINS).astype(np.float32),
        bends=rng.standard_normal((2, 5, 5)).astype(np.float32),
    )


def frame(head: Head, width: int, height: int, zoom: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return across and along of every pixel (height, width): the head's outline is at radius 1.

    The forehead is at -1 along; across is counted from the midline.

    Parameters
    ----------
    head
        Shape of the head.
    width, height
        Sides of the image in px.
    zoom
        Size of the head; 1 is that of `head`.
    """
    x, y = ramps(width, height)
    x, y = x - np.float32(0.5), y - np.float32(0.5)
    cos, sin = np.float32(np.cos(head.tilt)), np.float32(np.sin(head.tilt))
    across = (cos * x + sin * y) / np.float32(head.width * zoom)
    along = (cos * y - sin * x) / np.float32(head.height * zoom)
    shift = _bent(head.bends, across, along)
    across = across * (1 - np.float32(head.taper) * along) + shift[0]
    return across, along + shift[1]


def _bent(bends, across, along):
    places = [np.clip((along + 1) * 2, 0, 4), np.clip((across + 1) * 2, 0, 4)]
    return [map_coordinates(bend, places, order=1) * np.float32(0.022) for bend in bends]


def slice_of(
    head: Head, across: np.ndarray, along: np.ndarray, tissue: dict[str, float], level: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a slice at a level, -1 (low) to 1 (high), on what `frame` returned.

    Parameters
    ----------
    head
        Shape of the head.
    level
        -1 (low) to 1 (high).
    tissue
        Brightness of `white`, `grey`, `fluid`, `skull` and `scalp`.
    across, along
        What `frame` returned.

    Returns
    -------
    tuple
        The image (height, width), 0 to 1 or slightly more, and the share of brain of each pixel.
    """
    # A little squarer than an ellipse.
    radius = (np.abs(across) ** 2.3 + np.abs(along) ** 2.3) ** np.float32(1 / 2.3)
    depth = BRAIN_EDGE - radius
    angle = np.arctan2(across, -along)
    furrow, cortex = _folds(head, depth, angle)
    grey = np.maximum(cortex, _nuclei(across, along) * np.float32(0.7 * (level < 0.6)))
    image = tissue["white"] + (tissue["grey"] - tissue["white"]) * grey
    middle = np.abs(across + np.float32(0.02) * np.sin(3 * along))
    gap = np.float32(0.008 + 0.008 * head.sulcus) * (0.35 + np.clip(np.abs(along) * 1.6, 0, 1.2))
    open_middle = inside(gap - middle, 0.012) * inside(np.abs(along) - (0.42 - 0.3 * level), 0.05)
    fluid = np.maximum(furrow, open_middle)
    fluid = np.maximum(fluid, _ventricles(head, across, along, level))
    image = image + (tissue["fluid"] - image) * np.clip(fluid, 0, 1)
    brain = inside(depth, 0.012)
    image = tissue["fluid"] + (image - tissue["fluid"]) * brain
    skull = inside(radius - (BRAIN_EDGE + 0.012 + 0.012 * head.sulcus), 0.01)
    image = image + (tissue["skull"] - image) * skull
    image = image + (tissue["scalp"] - image) * inside(radius - np.float32(head.scalp), 0.012)
    return image * inside(1 - radius, 0.012), brain


def inside(distance: np.ndarray, soft: float) -> np.ndarray:
    """Return 1 where a distance is positive, 0 where negative, with an edge `soft` wide."""
    return np.clip(distance / np.float32(soft) * np.float32(0.5) + np.float32(0.5), 0, 1)


def _folds(head, depth, angle):
    """Furrows run inwards from the surface, where the noise in (depth, angle) is near zero."""
    rows = np.clip(depth / BRAIN_EDGE, 0, 1) * (_BINS[0] - 1)
    columns = (angle / (2 * np.pi) + 0.5) * _BINS[1]
    noise = map_coordinates(head.folds, [rows, columns], order=1, mode="grid-wrap")
    near = np.abs(noise) / np.float32(0.42)
    reach = inside(np.float32(0.19 + 0.05 * head.sulcus) - depth, 0.16)
    furrow = np.exp(-((near / np.float32(0.45 * head.sulcus)) ** 2)) * reach
    cortex = np.maximum(np.exp(-((near / 1.5) ** 2)) * reach, inside(0.055 - depth, 0.03))
    return furrow * np.float32(0.85), cortex


def _nuclei(across, along):
    side = np.abs(across)
    putamen = 1 - ((side - 0.3) / 0.09) ** 2 - ((along + 0.08 - 0.3 * (side - 0.3)) / 0.22) ** 2
    thalamus = 1 - ((side - 0.11) / 0.09) ** 2 - ((along - 0.08) / 0.14) ** 2
    return np.maximum(inside(putamen, 0.6), inside(thalamus, 0.6))


def _ventricles(head, across, along, level):
    """Both lateral ventricles as bent tubes, and the third one between them."""
    shrink = 1 - 0.35 * abs(level)
    wide = 0.042 * head.ventricle * shrink
    best = np.full(across.shape, -1.0, np.float32)
    for side in (-1, 1):
        tube = wide * (1 + side * head.lopsided)
        spread = 0.55 + 0.45 * head.ventricle**0.5
        path = np.array(
            [[0.2, -0.36], [0.13, -0.26], [0.075, -0.08], [0.09, 0.08], [0.19, 0.22], [0.23, 0.4]],
            np.float32,
        )
        path[:, 0] *= side * spread
        path[:, 1] *= 0.8 + 0.2 * head.ventricle**0.5 - 0.2 * abs(level)
        sizes = np.array([1.1, 1.35, 0.9, 0.7, 1.15 * head.horns]) * tube
        for start, end, size in zip(path[:-1], path[1:], sizes, strict=True):
            best = np.maximum(best, size - _from_line(across, along, start, end))
    third = 0.3 * wide - _from_line(across, along, (0.0, -0.02), (0.0, 0.14))
    if level < 0.3:
        best = np.maximum(best, third)
    return inside(best, 0.022)


def _from_line(across, along, start, end):
    """Distance of every pixel from a piece of a line."""
    (x0, y0), (x1, y1) = np.asarray(start, np.float32), np.asarray(end, np.float32)
    dx, dy = x1 - x0, y1 - y0
    share = np.clip(((across - x0) * dx + (along - y0) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.hypot(across - x0 - share * dx, along - y0 - share * dy)


def scanned(
    rng: np.random.Generator, image: np.ndarray, noise: tuple[float, float] = (0.008, 0.05)
) -> np.ndarray:
    """Give a slice a scanner's coils, noise and window: brighter here than there, grainy."""
    height, width = image.shape
    coils = 1 + np.float32(rng.uniform(0.02, 0.14)) * smooth_field(rng, width, height, 2)
    strength = np.float32(rng.uniform(*noise))
    grain = rng.standard_normal((2, height, width), dtype=np.float32) * strength
    # The magnitude of a complex signal: noise is never negative, and lifts the background.
    image = np.hypot(image * coils + grain[0], grain[1])
    return np.clip(image * np.float32(rng.uniform(0.75, 1.15)), 0, 1) ** np.float32(
        np.exp(rng.normal(0, 0.15))
    )
