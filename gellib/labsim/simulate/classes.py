"""The table of simulated classes, and images from it."""

from collections.abc import Callable, Iterator, Sequence
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
from gellib.labsim.simulate.camera import OTHER_FRAMES, Scene, photograph
from gellib.labsim.simulate.draw import pick

# The number of a class is part of the seeds of its images: append new ones, never reorder.
_DRAW: dict[str, Callable[[np.random.Generator, int, int], Scene | np.ndarray]] = {
    **gel.CLASSES,
    **scenes.CLASSES,
    **things.CLASSES,
    **documents.CLASSES,
    **codes.CLASSES,
    **instruments.CLASSES,
    **patterns.CLASSES,
    **traces.CLASSES,
}
MIN_PX = 32
_NUMBER = {name: number for number, name in enumerate(_DRAW)}

CLASSES: dict[str, bool] = {name: name in gel.CLASSES for name in _DRAW}
"""The simulated classes in order, and whether each is a gel."""

WEIGHTS: dict[str, float] = {
    # Classes that a network confused with gels most often are drawn more often.
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


def draw_image(name: str, rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Draw one image of a class.

    Parameters
    ----------
    name
        One of `CLASSES`.
    rng
        Random generator of this image.
    width, height
        Sides in px, `MIN_PX` or more.

    Returns
    -------
    uint8 array (height, width).

    Raises
    ------
    ValueError
        If there is no such class, or a side is shorter than `MIN_PX`.
    """
    if name not in _DRAW:
        raise ValueError(f"no simulated class {name!r}: expected one of {', '.join(_DRAW)}")
    if min(width, height) < MIN_PX:
        raise ValueError(f"got {width} x {height} px: expected {MIN_PX} or more per side")
    frames = None if CLASSES[name] else OTHER_FRAMES
    return photograph(_DRAW[name](rng, width, height), rng, frames)


def simulate(name: str, seed: int, index: int, size_px: int = 160) -> np.ndarray:
    """Draw image number `index` of a class; the same arguments always give the same image.

    Parameters
    ----------
    name
        One of `CLASSES`.
    seed, index
        Together with the class, the only source of randomness.
    size_px
        Both sides in px; another size is another image.

    Returns
    -------
    uint8 array (size_px, size_px).
    """
    rng = np.random.default_rng([seed, index, _NUMBER.get(name, 0)])
    return draw_image(name, rng, size_px, size_px)


def stream(
    seed: int, size_px: int = 160, classes: Sequence[str] | None = None, start: int = 0
) -> Iterator[tuple[np.ndarray, int]]:
    """Yield images for training without end.

    Parameters
    ----------
    seed
        Seed of the whole stream; image number i is the same for every `start`.
    size_px
        Both sides in px.
    classes
        Names to draw from, by `WEIGHTS`; None: all.
    start
        Number of the first image, such as the one where an earlier reader stopped.

    Yields
    ------
    tuple
        The image, uint8 (size_px, size_px), and the position of its class in `classes`.

    Raises
    ------
    ValueError
        If `classes` is empty or names an unknown class.
    """
    names = list(CLASSES if classes is None else classes)
    unknown = [name for name in names if name not in CLASSES]
    if unknown or not names:
        raise ValueError(f"classes: got {unknown or 'none'}, expected some of {', '.join(CLASSES)}")
    weights = {name: WEIGHTS[name] for name in names}
    for index in count(start):
        name = pick(np.random.default_rng([seed, index]), weights)
        yield simulate(name, seed, index, size_px), names.index(name)
