"""What the samples of a TIFF page mean by its tags: colours, alpha, palette, ink."""

from __future__ import annotations

import numpy as np
from PIL import Image
from tifffile import TiffPage

from gellib.data.image_files import RefusedError
from gellib.data.pixels import deep_to_uint8, to_uint8

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIELAB = 0, 1, 2, 3, 5, 6, 8
_PHOTOMETRIC, _COLOR_MAP, _NO_DATA = 262, 320, 42113
_FAX = (2, 3, 4)
_PREMULTIPLIED, _STRAIGHT, _COREL = 1, 2, 999


def name_colors(page: TiffPage) -> None:
    """Give a page that does not say what its numbers mean the colours that libtiff gives it."""
    if _PHOTOMETRIC not in page.tags:
        grey = WHITE_IS_ZERO if page.compression in _FAX else BLACK_IS_ZERO
        page.photometric = RGB if page.samplesperpixel >= 3 else grey


def interpret_samples(page: TiffPage, samples: np.ndarray, color: str) -> np.ndarray:
    """Give samples (channels, H, W) the meaning that the tags say.

    Returns
    -------
    uint8, (H, W) for the colour `grey` or (H, W, 3) for `rgb`.
    """
    kind, bits = page.photometric, page.bitspersample
    if kind == PALETTE:
        return to_uint8(Image.fromarray(_look_up(page, samples[0])), color)
    colors = _colors(page, len(samples))
    # Ink without black: more of it is darker.
    inverted = kind == WHITE_IS_ZERO or (kind == CMYK and colors < 4)
    alpha = alpha_kind(page)
    if bits < 8 and page.sampleformat == 1:  # few shades, as black and white: the whole range
        samples = (samples.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
    if samples.dtype != np.uint8:
        opacity = samples[colors] if alpha else None
        values = np.moveaxis(samples[:colors], 0, -1) if colors > 1 else samples[0]
        values = _fill_holes(page, values)
        if kind == CMYK and colors == 4:
            values, opacity = _ink_to_light(values), None
        return deep_to_uint8(values, color, alpha=opacity, inverted=inverted)
    if inverted:
        samples = np.concatenate([255 - samples[:colors], samples[colors:]])
    mode = {4: "CMYK", 3: "RGB"}.get(colors, "L")
    if alpha and kind != CMYK and samples[colors].any():  # never filled where it is zero
        colors += 1
        mode = {"RGB": "RGBA", "L": "LA"}[mode]
        # Premultiplied colours; Pillow names their modes so.
        mode = mode.replace("A", "a") if alpha == _PREMULTIPLIED else mode
    data = np.ascontiguousarray(np.moveaxis(samples[:colors], 0, -1))
    size = (data.shape[1], data.shape[0])
    raw, mode = mode, "RGBA" if mode == "RGBa" else mode
    return to_uint8(Image.frombuffer(mode, size, data.tobytes(), "raw", raw, 0, 1), color)


def _colors(page: TiffPage, channels: int) -> int:
    """Count the channels that are colours; further ones are not of the picture."""
    if page.photometric == CMYK and channels >= 3:
        return min(channels, 4)
    if channels >= 3 and page.photometric in (RGB, YCBCR):
        return 3
    # Three channels without a word on colour: what programs write that know only of arrays.
    return 3 if channels == 3 and page.photometric in (BLACK_IS_ZERO, WHITE_IS_ZERO) else 1


def alpha_kind(page: TiffPage) -> int:
    """Return the kind of the channel behind the colours if it is alpha (1, 2), else 0."""
    channels, extra = page.samplesperpixel, [int(kind) for kind in page.extrasamples]
    if not extra:
        return _STRAIGHT if page.photometric == RGB and channels == 4 else 0
    if _colors(page, channels) != channels - len(extra):
        return 0
    return {_PREMULTIPLIED: _PREMULTIPLIED, _STRAIGHT: _STRAIGHT, _COREL: _STRAIGHT}.get(
        extra[0], 0
    )


def _look_up(page: TiffPage, indices: np.ndarray) -> np.ndarray:
    table = np.asarray(page.tags.valueof(_COLOR_MAP), np.uint16).reshape(3, -1)
    # The tag has 16 bits; some programs write 8.
    colors = (table >> 8 if table.max() > 255 else table).astype(np.uint8)
    if indices.max() >= colors.shape[1]:
        raise RefusedError("truncated or damaged TIFF file")
    return np.moveaxis(colors[:, indices.astype(np.intp)], 0, -1)


def _fill_holes(page: TiffPage, values: np.ndarray) -> np.ndarray:
    """Give pixels without a measurement, by the number that GDAL's tag names, the least of all."""
    try:
        hole = float(page.tags.valueof(_NO_DATA, default=""))
    except (TypeError, ValueError):
        return values
    seen = values != hole
    if seen.all() or not seen.any():
        return values
    return np.where(seen, values, np.fmin.reduce(values[seen]))


def _ink_to_light(ink: np.ndarray) -> np.ndarray:
    full = np.iinfo(ink.dtype).max if ink.dtype.kind in "iu" else 1.0
    light = 1 - ink.astype(np.float32) / np.float32(full)
    return light[..., :3] * light[..., 3:]


def channel_note(page: TiffPage) -> str:
    """Say which of several channels is used; empty if the picture has no further ones."""
    channels = page.samplesperpixel
    used = _colors(page, channels) if page.photometric != PALETTE else channels
    if used == 1 and channels - bool(alpha_kind(page)) > 1:
        return f"has {channels} channels, and the first is used"
    return ""
