"""Convert decoded images of any mode and bit depth to 8 bits per channel."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

# Pixels deeper than 8 bits are scaled linearly so that these percentiles of the image become 0 and
# 255. They are symmetric, because bands are the bright tail of one gel and the dark tail of the
# next. They are close to 0 and 100, so that a faint band, which covers a fraction of a percent of
# the area, keeps its shades. They are not 0 and 100, because one hot or dead pixel of a camera
# would then decide the contrast.
LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9
# Numbers of which the percentiles are taken; of a larger image, every second pixel or fewer. Only
# images of more than this need more memory than their own few times over.
_SAMPLE = 16_000_000
# A page is blank if so large a share of it is within so many grey levels; no benchmark set them.
_BLANK, _EVEN = 0.998, 2
# Numbers that are converted at a time.
_BLOCK = 4_000_000
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")


def to_uint8(image: Image.Image, color: str) -> np.ndarray:
    """Convert an image to uint8, (H, W) for grey or (H, W, 3) for rgb.

    Alpha is composited over white, its largest number as opaque; the same everywhere, it says
    nothing and is ignored: such a channel was never filled, or with another number for opaque.
    One-channel images of more than 8 bits are scaled as by `stretch`.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values, key = np.asarray(image), image.info.get("transparency")
        clear = values == key if isinstance(key, int) else None
        return deep_to_uint8(values, color, alpha=None if clear is None else ~clear)
    if image.mode == "L" and "transparency" not in image.info and color == "grey":
        return np.array(image)
    width, height = image.size
    out = np.empty((height, width) + ((3,) if color == "rgb" else ()), np.uint8)
    rows = max(1, _BLOCK // width)
    blocks = [(top, min(height, top + rows)) for top in range(0, height, rows)]
    least, most = _alpha_range(image, blocks) if has_alpha(image) else (255, 255)
    for top, end in blocks:
        block = image.crop((0, top, width, end))
        if least == most:
            block.info.pop("transparency", None)
            block = _with_alpha(block) if block.mode in ("La", "RGBa") else block
            block = block.convert("RGB")
        elif has_alpha(image):
            block = _with_alpha(block)
            if most < 255:
                block.putalpha(block.getchannel("A").point([a * 255 // most for a in range(256)]))
            block = Image.alpha_composite(Image.new("RGBA", block.size, "white"), block)
        if color == "grey" and block.mode not in ("1", "L"):
            block = block.convert("RGB")
        out[top:end] = np.asarray(block.convert("L" if color == "grey" else "RGB"))
    return out


def _alpha_range(image: Image.Image, blocks: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the least and the largest alpha in blocks of rows."""
    alphas = (
        np.asarray(_with_alpha(image.crop((0, top, image.width, end))))[..., 3]
        for top, end in blocks
    )
    ranges = [(int(alpha.min()), int(alpha.max())) for alpha in alphas]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def has_alpha(image: Image.Image) -> bool:
    """Whether some pixels of an image of 8 bits may be transparent."""
    return image.mode in _WITH_ALPHA or "transparency" in image.info


def deep_to_uint8(
    values: np.ndarray,
    color: str,
    *,
    alpha: np.ndarray | None = None,
    inverted: bool = False,
) -> np.ndarray:
    """Convert pixels deeper than 8 bits to uint8, (H, W) for grey or (H, W, 3) for rgb.

    Parameters
    ----------
    values
        Grey (H, W), or red, green and blue (H, W, 3), which are stretched by one common range.
    color
        `grey` or `rgb`.
    alpha
        Opacity (H, W), 0 for transparent, its largest number for opaque; composited over white.
        A constant one says nothing and is ignored.
    inverted
        Whether 0 is white.
    """
    if alpha is not None and alpha.min() == alpha.max():
        alpha = None
    pixels = stretch(values, None if alpha is None else alpha > 0)
    if inverted:
        np.subtract(255, pixels, out=pixels)
    if alpha is not None:
        opacity = np.clip(alpha.astype(np.float32) / np.float32(alpha.max()), 0, 1)
        opacity = opacity[..., None] if pixels.ndim == 3 else opacity
        pixels = np.rint(255 - (255 - pixels.astype(np.float32)) * opacity).astype(np.uint8)
    if color == "rgb":
        return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
    return pixels if pixels.ndim == 2 else to_uint8(Image.fromarray(pixels), "grey")


def stretch(values: np.ndarray, visible: np.ndarray | None = None) -> np.ndarray:
    """Scale deep pixels, integer or float, to uint8 by the percentile rule of `read_image`.

    Parameters
    ----------
    values
        (H, W) or (H, W, channels); all channels share one range.
    visible
        Booleans (H, W): the pixels that decide the range; None: all.

    Raises
    ------
    ValueError
        If no pixel is a finite number.
    """
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    step = math.ceil(math.sqrt(values.size / _SAMPLE))
    whole = _as_float(values[::step, ::step])
    if visible is not None:
        whole = whole[visible[::step, ::step]]
    finite = _is_value(whole, values.dtype)
    if not finite.all():
        whole = whole[finite]
    if whole.size == 0:
        raise ValueError("holds no finite number")
    # Scaled to -1..1, so that the range of very large floats cannot overflow.
    largest = np.abs(whole).max() or 1.0
    whole = whole / largest
    low, high = np.percentile(whole, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if low == high:  # a few bright pixels on a uniform background, or a constant image
        low, high = whole.min(), whole.max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    out = np.empty(values.shape, np.uint8)
    rows = max(1, _BLOCK // max(1, values[0].size))
    for top in range(0, len(values), rows):
        with np.errstate(over="ignore"):  # holes, which are clipped
            block = _as_float(values[top : top + rows]) / largest
        block = np.nan_to_num(block, nan=low, posinf=high, neginf=low)
        block = (np.clip(block, low, high) - low) / (high - low)
        out[top : top + rows] = np.rint(255 * block).astype(np.uint8)
    return out


def _is_value(numbers: np.ndarray, stored: np.dtype) -> np.ndarray:
    """Whether numbers are finite, and no largest float far above all others, as put for a hole."""
    finite = np.isfinite(numbers)
    if stored.kind != "f" or stored.itemsize < 4:  # in 16 bits, 65504 is a brightness
        return finite
    most = np.finfo(stored).max
    inner = finite & (np.abs(numbers) < 0.99 * most)
    return inner if np.abs(numbers[inner]).max(initial=0) < 1e-3 * most and inner.any() else finite


def is_blank(pixels: np.ndarray) -> bool:
    """Whether a page shows nothing: all pixels but a few dead ones are nearly the same."""
    counts = np.bincount(pixels.ravel(), minlength=256)
    middle = int(np.searchsorted(np.cumsum(counts), pixels.size / 2))
    near = counts[max(0, middle - _EVEN) : middle + _EVEN + 1].sum()
    return bool(near >= _BLANK * pixels.size)


def turn(values: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror pixels (H, W, ...) as the EXIF or TIFF orientation 1 to 8 says."""
    if orientation in (5, 6, 7, 8):
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def _as_float(values: np.ndarray) -> np.ndarray:
    # float32 holds 16 bits exactly, and large images would need much memory in float64.
    with np.errstate(invalid="ignore", over="ignore"):  # a damaged file has any bits
        return values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)


def _with_alpha(image: Image.Image) -> Image.Image:
    if image.mode == "La":  # Pillow converts it to LA only
        image = image.convert("LA")
    return image.convert("RGBA")
