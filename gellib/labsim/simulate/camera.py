"""What happens to a scene on its way to a file: light, tone, noise, border, labels, compression.

Gels and everything else are processed here in the same way, so that a border, a caption, a dim
exposure or the blocks of JPEG say nothing about the class.
"""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from gellib.labsim.simulate.draw import Canvas, chance, mix, pick, ramps, resized, to_bytes, word
from gellib.labsim.simulate.textures import field

TONES = {"natural": 0.42, "stretched": 0.2, "dim": 0.16, "low": 0.12, "inverted": 0.1}
FRAMES = {"none": 0.68, "edge": 0.07, "border": 0.09, "labels": 0.1, "caption": 0.06}
# Some gel classes are labelled always; the others make up for it, or labels would mean a gel.
OTHER_FRAMES = {"none": 0.58, "edge": 0.07, "border": 0.09, "labels": 0.21, "caption": 0.05}


class Scene(NamedTuple):
    """A scene before the camera, and what its class fixes about the image.

    Attributes
    ----------
    image
        Float32 (height, width), 0 to 1.
    tone, frame
        Keys of `TONES` and `FRAMES`; drawn if not given.
    columns, rows
        Where labels belong, as fractions of the width and the height.
    marks
        What is written at the rows.
    """

    image: np.ndarray
    tone: str | None = None
    frame: str | None = None
    columns: tuple = ()
    rows: tuple = ()
    marks: tuple = ()


def photograph(
    scene: Scene | np.ndarray, rng: np.random.Generator, frames: dict[str, float] | None = None
) -> np.ndarray:
    """Photograph a scene, with a frame drawn from `frames` (`FRAMES`) if it has none yet.

    Returns
    -------
    uint8 array of the scene's height and width.
    """
    if not isinstance(scene, Scene):
        scene = Scene(scene)
    tone = scene.tone or pick(rng, TONES)
    image = expose(_light(scene.image, rng), rng, tone)
    # What uses little of the range is not buried in noise, or nothing is left to be seen.
    image = _grain(image, rng, 0.5 if tone in ("dim", "low") else 1.0)
    frame = scene.frame or pick(rng, frames or FRAMES)
    if frame != "none":
        image = _FRAMERS[frame](image, rng, scene)
    return _compressed(to_bytes(image), rng)


def _light(image, rng):
    """Uneven illumination: a slope, a vignette or a soft cloud of light; sometimes out of focus."""
    height, width = image.shape
    kind = rng.random()
    if kind < 0.3:
        x, y = ramps(width, height)
        slope = rng.normal(0, 0.25, 2)
        image = image * (1 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5)).astype(np.float32)
    elif kind < 0.5:
        x, y = ramps(width, height)
        cx, cy = rng.uniform(0.3, 0.7, 2)
        away = (x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2
        image = image * (1 - np.float32(rng.uniform(0.2, 1.1)) * away)
    elif kind < 0.65:
        image = image * (1 + np.float32(rng.uniform(0.04, 0.15)) * field(rng, width, height, 3))
    if chance(rng, 0.3):
        shrink = rng.uniform(1.2, 2.2)
        small = resized(image, round(width / shrink), round(height / shrink))
        image = resized(small, width, height, Image.Resampling.BICUBIC)
    return image


def _stretched(image, low=1.0, high=99.0):
    sample = np.sort(image[::3, ::3], axis=None)
    last = len(sample) - 1
    bottom, top = sample[round(last * low / 100)], sample[round(last * high / 100)]
    return (image - bottom) / max(top - bottom, 1e-3)


def expose(image: np.ndarray, rng: np.random.Generator, tone: str) -> np.ndarray:
    """Map the values of a scene to those of the image as one of `TONES`."""
    if tone == "natural":
        return np.clip(image, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    if tone == "stretched":
        return _stretched(image, rng.uniform(0, 3), rng.uniform(97, 100))
    if tone == "inverted":
        return 1 - _stretched(image, rng.uniform(0, 2), rng.uniform(98, 100)) * rng.uniform(0.7, 1)
    image = np.clip(_stretched(image, 0.3, 99.7), 0, 1.3)
    if tone == "dim":
        floor = rng.uniform(0.05, 0.3)
        return floor + image * np.float32(rng.uniform(0.2, 0.6))
    span = rng.uniform(0.15, 0.45)
    return rng.uniform(0.1, 0.9 - span) + image * np.float32(span)


def _grain(image, rng, share):
    """Sensor noise, grown with the signal or not, fine or clumped; rarely lines of the read-out."""
    height, width = image.shape
    strength = np.float32(share * 10 ** rng.uniform(-2.8, -1.45))
    noise = rng.standard_normal((height, width), dtype=np.float32)
    if chance(rng, 0.4):
        noise[1:] += noise[:-1]
        noise[:, 1:] += noise[:, :-1]
        noise *= 0.6
    if chance(rng, 0.4):
        noise *= np.sqrt(np.clip(image, 0.02, 1)) * 1.5
    image = image + strength * noise
    if chance(rng, 0.07):
        lines = rng.standard_normal(height, dtype=np.float32)[:, None]
        image = image + strength * (lines if chance(rng, 0.7) else lines.mean())
    if chance(rng, 0.08):
        places = rng.integers(0, [[height], [width]], (2, int(rng.integers(3, 25))))
        image[places[0], places[1]] = np.float32(rng.choice([0.1, 0.9, 1.0]))
    return image


def _edge(image, rng, scene):
    """One or two light or dark lines along the sides, as a careless crop leaves them."""
    image = image.copy()
    value = np.float32(rng.choice([0.0, 0.8, 1.0]))
    thick = max(1, round(min(image.shape) * rng.uniform(0.003, 0.012)))
    for side in rng.choice(4, int(rng.integers(1, 4)), replace=False):
        part = (np.s_[:thick], np.s_[-thick:], np.s_[:, :thick], np.s_[:, -thick:])[side]
        image[part] = value
    return image


def _inset(image, rng, left, top, right, bottom):
    """Shrink the image into a sheet of paper; return the sheet and the value of the paper."""
    height, width = image.shape
    paper = float(pick(rng, {"1.0": 0.62, "0.0": 0.22, "0.85": 0.08, "0.5": 0.08}))
    x0, y0 = round(left * width), round(top * height)
    x1, y1 = round((1 - right) * width), round((1 - bottom) * height)
    sheet = np.full((height, width), np.float32(paper))
    sheet[y0:y1, x0:x1] = resized(image, x1 - x0, y1 - y0)
    if chance(rng, 0.3):
        ink = np.float32(round(1 - paper))
        sheet[[y0, y1 - 1], x0:x1] = ink
        sheet[y0:y1, [x0, x1 - 1]] = ink
    return sheet, paper


def _border(image, rng, scene):
    margins = rng.uniform(0, 0.14, 4) * (rng.random(4) < 0.8)
    return _inset(image, rng, *margins)[0]


def _caption(image, rng, scene):
    """A line or two of text above or below, or a panel's letter in a corner."""
    height, width = image.shape
    size = rng.uniform(0.04, 0.07)
    if chance(rng, 0.4):
        canvas = Canvas(width, height, image, over=1)
        ink = float(rng.random() < 0.5)
        corner = (0.03, 0.03) if chance(rng, 0.7) else (0.85, 0.9)
        canvas.text(*corner, str(rng.choice(list("ABCDEFabc123"))), size * 1.8, ink, bold=True)
        return canvas.array()
    above = chance(rng, 0.4)
    lines = int(rng.integers(1, 4))
    room = lines * size * 1.25 + 0.02
    sheet, paper = _inset(image, rng, 0, room * above, 0, room * (not above))
    canvas = Canvas(width, height, sheet, over=1)
    for number in range(lines):
        words = " ".join(word(rng) for _ in range(int(rng.integers(2, 6))))
        y = 0.01 + number * size * 1.25 + (0 if above else 1 - room)
        canvas.text(rng.uniform(0.01, 0.06), y, words, size, round(1 - paper))
    return canvas.array()


def _labels(image, rng, scene):
    """Numbers above, marks with ticks at one side, an arrow, a title: a figure in a paper."""
    height, width = image.shape
    left, right = rng.uniform(0.08, 0.2), rng.uniform(0, 0.06)
    if chance(rng, 0.3):
        left, right = right, left
    if chance(rng, 0.2):
        left = right = rng.uniform(0, 0.05)
    top, bottom = rng.uniform(0.07, 0.18), rng.uniform(0, 0.08)
    if chance(rng, 0.12):
        # Written on the image itself, as imaging software does.
        sheet, paper = image, float(image.mean() > 0.5)
        left = top = right = bottom = 0.0
    else:
        sheet, paper = _inset(image, rng, left, top, right, bottom)
    canvas = Canvas(width, height, sheet, over=1)
    ink = round(1 - paper)
    size = rng.uniform(0.035, 0.06)
    columns = scene.columns or tuple(np.linspace(0.08, 0.92, int(rng.integers(3, 14))))
    rows = scene.rows or tuple(np.sort(rng.uniform(0.05, 0.95, int(rng.integers(3, 9)))))
    numbered, bold = chance(rng, 0.7), chance(rng, 0.3)
    for number, column in enumerate(columns, 1):
        string = str(number) if numbered else ("M" if number == 1 else word(rng, 2))
        x = mix(left, 1 - right, column)
        if numbered or len(columns) < 9:
            canvas.text(x, max(top - 0.01, size), string, size, ink, "mb", bold)
    at_left = left >= right
    if max(left, right) > 0.07 or top == 0:
        side = left if at_left else 1 - right
        away = -1 if at_left and top else 1
        marks = scene.marks or tuple(str(number) for number in rng.integers(1, 3000, len(rows)))
        last = -1.0
        for row, mark in zip(rows, marks, strict=False):
            y = mix(top, 1 - bottom, row)
            if y - last < size * 0.8:
                continue
            last = y
            canvas.line([[side, y], [side + away * 0.015, y]], ink)
            canvas.text(side + away * 0.022, y, mark, size * 0.9, ink, "rm" if away < 0 else "lm")
    if top > 0.13 and chance(rng, 0.6):
        title = " ".join(word(rng) for _ in range(int(rng.integers(1, 4))))
        canvas.text(0.5, 0.005, title, size, ink, "ma", bold)
    for _ in range(int(rng.integers(1, 4)) if chance(rng, 0.35) else 0):
        x, y = mix(left, 1 - right, rng.random()), mix(top, 1 - bottom, rng.uniform(0.1, 0.9))
        tone = float(rng.random() < 0.5)
        canvas.line([[x, y], [x + 0.07, y]], tone, 0.006)
        canvas.polygon([[x, y], [x + 0.025, y - 0.014], [x + 0.025, y + 0.014]], tone)
    if chance(rng, 0.1):
        x, y, wide, tall = rng.uniform([0.2, 0.2, 0.05, 0.03], [0.7, 0.7, 0.25, 0.2])
        canvas.box(x, y, x + wide, y + tall, None, float(rng.random() < 0.5), 0.006)
    return canvas.array()


_FRAMERS = {"edge": _edge, "border": _border, "caption": _caption, "labels": _labels}


def _compressed(image, rng):
    """Add blocks of JPEG, as in images that were saved more than once."""
    if not chance(rng, 0.5):
        return image
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "JPEG", quality=int(rng.integers(25, 92)))
    return np.asarray(Image.open(packed))
