"""The table of simulated classes, and images from it."""

from itertools import count

import numpy as np

from gellib.labsim.simulate import (
    codes,
    documents,
    gel,
    instruments,
    patterns,
    scenes,
    things,
    traces,
)
from gellib.labsim.simulate.camera import OTHER_FRAMES, photograph
from gellib.labsim.simulate.draw import pick

# The number of a class is a part of its images' seeds: append new ones, never reorder.
_DRAW = {
    **gel.CLASSES,
    **scenes.CLASSES,
    **things.CLASSES,
    **documents.CLASSES,
    **codes.CLASSES,
    **instruments.CLASSES,
    **patterns.CLASSES,
    **traces.CLASSES,
}
LEAST_PX = 32
_NUMBER = {name: number for number, name in enumerate(_DRAW)}

CLASSES: dict[str, bool] = {name: name in gel.CLASSES for name in _DRAW}
"""The simulated classes in order, and whether each is a gel."""

WEIGHTS: dict[str, float] = {
    # What a network took for a gel most often gets more of its lessons.
    **dict.fromkeys(_DRAW, 1.0),
    "gel_dim": 1.5,
    "gel_annotated": 1.5,
    "spectrogram": 2.0,
    "code_2d": 2.0,
    "landscape": 1.5,
    "portrait": 1.5,
    "desk": 1.5,
}
"""How often `stream` draws each class, relative to the others."""


def picture(name: str, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw one picture of a class.

    Returns
    -------
    uint8 array (height, width).

    Raises
    ------
    ValueError
        If there is no such class, or a side is shorter than `LEAST_PX`.
    """
    if name not in _DRAW:
        raise ValueError(f"no simulated class {name!r}: expected one of {', '.join(_DRAW)}")
    if min(width, height) < LEAST_PX:
        raise ValueError(f"got {width} x {height} px: expected {LEAST_PX} or more a side")
    frames = None if CLASSES[name] else OTHER_FRAMES
    return photograph(_DRAW[name](rng, width, height), rng, frames)


def simulate(name: str, seed: int, index: int, size_px: int = 160) -> np.ndarray:
    """Draw image number `index` of a class: the same one whenever and wherever it is asked for.

    Parameters
    ----------
    name
        One of `CLASSES`.
    seed, index
        Together with the class they are the whole source of randomness.
    size_px
        Both sides; another size is another picture.

    Returns
    -------
    uint8 array (size_px, size_px).
    """
    rng = np.random.default_rng([seed, index, _NUMBER.get(name, 0)])
    return picture(name, rng, size_px, size_px)


def stream(seed: int, size_px: int = 160, classes=None, start: int = 0):
    """Yield images for training without end.

    Parameters
    ----------
    seed
        Of the whole stream; its image number i is the same wherever it is started.
    classes
        Names to draw from, by `WEIGHTS`; all if not given.
    start
        The number of the first image: where an earlier reader stopped, or where it is not.

    Yields
    ------
    tuple
        The image, uint8 (size_px, size_px), and the position of its class in `classes`.
    """
    names = list(CLASSES if classes is None else classes)
    unknown = [name for name in names if name not in CLASSES]
    if unknown or not names:
        raise ValueError(f"classes: got {unknown or 'none'}, expected some of {', '.join(CLASSES)}")
    weights = {name: WEIGHTS[name] for name in names}
    for index in count(start):
        name = pick(np.random.default_rng([seed, index]), weights)
        yield simulate(name, seed, index, size_px), names.index(name)
