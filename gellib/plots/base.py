"""What all figures share: the class `Chart`, colours, axes, saving."""

from __future__ import annotations

import base64
import io
import textwrap
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from gellib.base.files import atomic_path
from gellib.base.markup import in_html
from gellib.base.text import shorten

# Okabe and Ito's colours, which colour-blind readers can distinguish too.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, PALE, GREY, INK = "#CC79A7", "#56B4E9", "#9DB4C6", "#8A8A8A", "#222222"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

NOTEBOOK_DPI = 90
FILE_DPI = 150


class Chart(Figure):
    """A figure that a notebook shows as the value of its cell, as a small PNG.

    It does not belong to pyplot, whose figures are shown a second time when the cell ends and stay
    in memory until they are closed.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("layout", "constrained")
        super().__init__(*args, **kwargs)
        self._drawn: dict[int, tuple[Image.Image, Image.Image]] = {}

    def headline(self) -> str:
        """Return a text for the figure: its title, or the titles of its panels."""
        titles = [self.get_suptitle()] if self.get_suptitle() else []
        titles = titles or [axes.get_title(loc) for axes in self.axes for loc in ("left", "center")]
        return "; ".join(title.replace("\n", " ") for title in titles if title)

    def described(self) -> str:
        """Return the text for those who do not see the figure: its title, and the note below it."""
        below = self.get_supxlabel().replace("\n", " ")
        return ". ".join(filter(None, (self.headline(), below))).replace(r"\$", "$")

    def render(self, dpi: int = NOTEBOOK_DPI) -> Image.Image:
        """Draw the figure in at most 256 colours, at `dpi` pixels per inch.

        The file is a third of the size, without a visible difference. A rendering at a higher
        resolution is scaled down, which is faster than drawing again.
        """
        if self.stale:  # the figure has changed since
            self._drawn.clear()
        if dpi not in self._drawn:
            finer = [known for known in self._drawn if known > dpi]
            if finer:
                large, palette = self._drawn[min(finer)]
                size = [round(side * dpi / min(finer)) for side in large.size]
                image = large.resize(size, Image.Resampling.LANCZOS)
            else:
                image = self._draw(dpi)
                # A ninth of the pixels is enough to find the colours, in a ninth of the time.
                some = image.resize(
                    [-(-side // 3) for side in image.size], Image.Resampling.NEAREST
                )
                palette = some.quantize(256, dither=Image.Dither.NONE)
            self._drawn[dpi] = image, palette
        image, palette = self._drawn[dpi]
        return _in_colours(image, palette)

    def _draw(self, dpi: int) -> Image.Image:
        # `savefig` draws twice, the first time for the layout alone; drawing once does both.
        before = self.dpi, self.get_facecolor()
        canvas = FigureCanvasAgg(self)
        try:
            self.set(dpi=dpi, facecolor="white")
            canvas.draw()
            return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
        finally:
            self.set(dpi=before[0], facecolor=before[1])
            self.stale = False

    def png(self, dpi: int = NOTEBOOK_DPI) -> bytes:
        """Return the figure as a PNG, at `dpi` pixels per inch."""
        buffer = io.BytesIO()
        self.render(dpi).save(buffer, format="PNG")
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        image = base64.b64encode(self.png()).decode("ascii")
        data = {"image/png": image, "text/plain": self.headline() or "figure"}
        return data, {"image/png": {"alt": self.described()}}


def _in_colours(image: Image.Image, palette: Image.Image) -> Image.Image:
    """Map an image to a palette's colours; the background keeps its exact colour."""
    drawn = image.quantize(palette=palette, dither=Image.Dither.NONE)
    colours: Any = drawn.getpalette()
    paper: Any = drawn.getpixel((0, 0))
    colours[3 * paper : 3 * paper + 3] = image.getpixel((0, 0))
    drawn.putpalette(colours)
    return drawn


def save(fig: Figure, path: str | Path, *, dpi: int = FILE_DPI) -> Path:
    """Write a figure to a file, complete or not at all; the suffix of `path` sets the format."""
    path = Path(path)
    kind = path.suffix.lstrip(".").lower() or "png"
    with atomic_path(path) as partial:
        if kind == "png" and isinstance(fig, Chart):
            partial.write_bytes(fig.png(dpi))
        else:
            fig.savefig(partial, format=kind, dpi=dpi, facecolor="white")
    return path


def percent(value: float, digits: int = 1) -> str:
    """Write a share of 0..1 in percent: `95.5 %`."""
    return f"{100 * value:.{digits}f} %"


def three_digits(value: float) -> str:
    """Write a number with three digits, from 100,000 on with an exponent: `0.0648`, `2e5`."""
    if abs(value) >= 99_999.5:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits.removesuffix('.0')}e{int(power)}"
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def percent_axis(axis: Any, axes: Axes, which: str, top: float = 1.0) -> None:
    """Make an axis run from 0 to 100 %.

    Parameters
    ----------
    axis
        The axis of a panel, `axes.xaxis` or `axes.yaxis`.
    axes
        The panel.
    which
        `x` or `y`.
    top
        Where the axis ends, as a share: 1.04 leaves room above 100 %.
    """
    axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    getattr(axes, f"set_{which}lim")(0, top)
    getattr(axes, f"set_{which}ticks")(np.linspace(0, 1, 6))


def share_axis(axis: Any, values: np.ndarray, *, share: bool = True) -> None:
    """Make an axis run from where the values are to their upper limit, 100 % or 1.

    Parameters
    ----------
    axis
        The axis of a panel, `axes.xaxis` or `axes.yaxis`.
    values
        What is drawn on it: shares 0..1, or numbers of at most 1; intervals too.
    share
        Whether they are written in percent.
    """
    known = values[np.isfinite(values)]
    least, top = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    # Values near 0, such as shares of wrong labels, are seen from 0 to a little above them.
    high = 1.0 if top > 0.5 else 0.1 * np.ceil(10 * top + 0.01)
    step = 0.05 if high - least < 0.3 else 0.1
    low = step * np.floor((least - 0.02 * (high - least)) / step)
    low = max(0.0, low) if least >= 0 else low
    low = min(low, high - 0.1)
    margin = 0.03 * (high - low)
    axis.axes.set(**{f"{axis.axis_name}lim": (low - margin * (low > 0), high + margin)})
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(
        lambda v, _: "" if v > 1.0001 else percent(v, 0) if share else f"{v:.3g}"
    )


def tidy(axes: Axes, grid: Literal["", "x", "y", "both"] = "") -> None:
    """Hide the upper and right frame lines, and draw a faint grid behind the data."""
    axes.spines[["top", "right"]].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(colors=INK, length=3, color=GREY)
    if grid:
        axes.grid(axis=grid, color="#E4E4E4", linewidth=0.8)
        axes.set_axisbelow(True)


def literal(text: object) -> str:
    """Escape a text so that matplotlib does not read `5$ to 9$` as a formula."""
    return str(text).replace("$", r"\$")


def short_name(name: object, most: int = 18) -> str:
    """Shorten a name in the middle, so that both ends stay readable, and escape it."""
    return literal(shorten(str(name), most, middle=True))


def title(axes: Axes, text: str) -> None:
    """Set a title flush with the left edge."""
    axes.set_title(text, loc="left", fontsize=11.5, fontweight="bold", color=INK)


def headline(fig: Figure, text: str) -> None:
    """Set a title for the whole figure, flush with its left edge, in as many lines as it needs."""
    text = textwrap.fill(text, max(30, int(10.5 * fig.get_figwidth())))
    fig.suptitle(text, x=0.01, ha="left", fontsize=11.5, fontweight="bold", color=INK)


def note(fig: Figure, text: str) -> None:
    """Add a small text under the figure, wrapped to its width."""
    if text:
        text = textwrap.fill(text, max(30, int(15.5 * fig.get_figwidth())))
        fig.supxlabel(text, fontsize=8.5, color="#555555", x=0.01, ha="left")


class Message(Chart):
    """A figure that is a sentence: a notebook shows it as text, and draws nothing."""

    sentence = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        shown = f"<p><b>{in_html(self.headline())}.</b> {in_html(self.sentence)}</p>"
        shown = shown if self.headline() else f"<p>{in_html(self.sentence)}</p>"
        return {"text/html": shown, "text/plain": self.sentence}, {}


def message(text: str, heading: str = "") -> Message:
    """Return a figure that says in a sentence why there is nothing to draw."""
    fig = Message(figsize=(6, 1.6))
    fig.sentence = text
    axes = fig.subplots()
    axes.set_axis_off()
    axes.text(0.0, 0.5, text, va="center", fontsize=10, color=INK, wrap=True)
    if heading:
        title(axes, heading)
    return fig
