"""Tools to draw simulated images: random choices, a canvas, words, perspective."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LETTERS = np.array(list("eeeetttaaaooooinnsshhrrdlcumwfgypbvkABCDEFGHMRST0123456789"))


def chance(rng: np.random.Generator, probability: float) -> bool:
    """Return true with the given probability."""
    return rng.random() < probability


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw one key of a table of weights."""
    names = list(weights)
    cumulated = np.cumsum([weights[name] for name in names])
    return names[int(np.searchsorted(cumulated, rng.random() * cumulated[-1], side="right"))]


def mix(low, high, share):
    """Blend two values or images: `share` 0 is the first, 1 the second."""
    return low + (high - low) * share


def resized(image: np.ndarray, width: int, height: int, how=Image.Resampling.BILINEAR):
    """Return a float32 image of another size.

    Parameters
    ----------
    image
        (H, W).
    width, height
        New sides in px.
    how
        Interpolation, as Pillow names it.
    """
    return np.asarray(Image.fromarray(np.asarray(image, np.float32)).resize((width, height), how))


def ramps(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x as a row and y as a column, both from 0 to 1, to be broadcast."""
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    return x, np.linspace(0, 1, height, dtype=np.float32)[:, None]


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow has no FreeType. Expected it, to draw text. Reinstall Pillow.")
    return font


def word(rng: np.random.Generator, letters: int | None = None) -> str:
    """Draw a word-like string."""
    if letters is None:
        letters = int(rng.integers(2, 9))
    return "".join(symbols(rng, letters))


def symbols(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draw letters and digits, about as often as they come in prose."""
    return _LETTERS[rng.integers(0, len(_LETTERS), count)]


class Canvas:
    """A grey drawing with smooth edges; positions are fractions of its sides, values 0 to 1.

    Parameters
    ----------
    background
        One value, or an image (height, width) to draw on.
    over
        Drawn so many times larger, then averaged: that is what makes edges smooth.
    """

    def __init__(self, width: int, height: int, background=0.0, over: int = 2):
        self.width, self.height, self.over = width, height, over
        size = (width * over, height * over)
        if np.ndim(background):
            image = Image.fromarray(to_bytes(background))
            self.image = image if over == 1 else image.resize(size, Image.Resampling.BILINEAR)
        else:
            self.image = Image.new("L", size, _level(background))
        self._draw = ImageDraw.Draw(self.image)
        self._scale = np.array(size, float)

    def _points(self, points) -> list[float]:
        return (np.asarray(points, float).reshape(-1, 2) * self._scale).ravel().tolist()

    def _px(self, share: float) -> int:
        return max(1, round(share * self._scale.min()))

    def polygon(self, points, value, outline=None, thickness=0.005):
        """Fill a polygon given by its corners (n, 2).

        Parameters
        ----------
        points
            Corners (n, 2): x and y, shares of the sides.
        value
            Grey level of the area, 0..1; None: the area stays as it is.
        outline
            Grey level of the edge, 0..1; None: no edge.
        thickness
            Of the edge, as a share of the shorter side.
        """
        points = self._points(points)
        self._draw.polygon(points, None if value is None else _level(value))
        if outline is not None:
            self._draw.line(points + points[:2], _level(outline), self._px(thickness))

    def ellipse(self, x, y, rx, ry, value, outline=None, thickness=0.005):
        """Fill an ellipse given by its centre and radii; the radii are shares of the sides.

        Parameters
        ----------
        x, y
            Centre, shares of the sides.
        rx, ry
            Radii, shares of the sides.
        value
            Grey level of the area, 0..1; None: the area stays as it is.
        outline
            Grey level of the edge, 0..1; None: no edge.
        thickness
            Of the edge, as a share of the shorter side.
        """
        corners = self._points([[x - abs(rx), y - abs(ry)], [x + abs(rx), y + abs(ry)]])
        fill = None if value is None else _level(value)
        edge = None if outline is None else _level(outline)
        self._draw.ellipse(corners, fill, edge, self._px(thickness) if edge is not None else 0)

    def box(self, x0, y0, x1, y1, value, outline=None, thickness=0.005):
        """Fill a rectangle.

        Parameters
        ----------
        x0, y0, x1, y1
            Two corners, shares of the sides.
        value
            Grey level of the area, 0..1; None: the area stays as it is.
        outline
            Grey level of the edge, 0..1; None: no edge.
        thickness
            Of the edge, as a share of the shorter side.
        """
        (x0, x1), (y0, y1) = sorted((x0, x1)), sorted((y0, y1))
        edge = None if outline is None else _level(outline)
        fill = None if value is None else _level(value)
        corners = self._points([[x0, y0], [x1, y1]])
        self._draw.rectangle(corners, fill, edge, self._px(thickness) if edge is not None else 0)

    def line(self, points, value, thickness=0.005):
        """Draw a line through points (n, 2)."""
        self._draw.line(self._points(points), _level(value), self._px(thickness), joint="curve")

    def arc(self, x, y, rx, ry, start, end, value, thickness=0.005):
        """Draw a piece of an ellipse's edge, angles in degrees.

        Parameters
        ----------
        x, y
            Centre, shares of the sides.
        rx, ry
            Radii, shares of the sides.
        start, end
            Degrees, clockwise from three o'clock.
        value
            Grey level, 0..1.
        thickness
            As a share of the shorter side.
        """
        corners = self._points([[x - rx, y - ry], [x + rx, y + ry]])
        self._draw.arc(corners, start, end, _level(value), self._px(thickness))

    def text(self, x, y, string, size, value, anchor="la", bold=False):
        """Write a line of text, `size` as a share of the height.

        Parameters
        ----------
        x, y
            Where it is anchored, shares of the sides.
        string
            What is written.
        size
            Share of the height.
        value
            Grey level, 0..1.
        bold
            Whether it is bold.
        anchor
            Which point of the text is at `x, y`, as Pillow names it.
        """
        place = tuple(self._points([[x, y]]))
        font = _font(max(5 * self.over, round(size * self._scale[1])))
        stroke = 1 if bold and font.size >= 12 else 0
        self._draw.text(place, string, _level(value), font, anchor, stroke_width=stroke)

    def array(self) -> np.ndarray:
        """Return the drawing as float32 (height, width), 0 to 1."""
        image = self.image if self.over == 1 else self.image.reduce(self.over)
        return np.asarray(image, np.float32) / 255


def _level(value: float) -> int:
    return int(min(255, max(0, value * 255 + 0.5)))


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Turn values from 0 to 1 into uint8; what lies outside is clipped."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def warped(image: np.ndarray, corners, background: float = 0.0) -> np.ndarray:
    """Show an image in perspective.

    Parameters
    ----------
    corners
        Where its upper left, upper right, lower right and lower left corners come to lie (4, 2),
        as fractions of the frame.
    background
        The value around it.
    """
    height, width = image.shape
    goal = np.asarray(corners, float) * [width, height]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], float)
    rows, values = [], []
    for (x, y), (u, v) in zip(goal, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    how = np.linalg.solve(np.array(rows), np.array(values)).tolist()
    turned = Image.fromarray(np.asarray(image, np.float32)).transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        how,
        Image.Resampling.BILINEAR,
        fillcolor=float(background),
    )
    return np.asarray(turned)
