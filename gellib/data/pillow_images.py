"""Decode the image formats that Pillow reads well: all but TIFF."""

from __future__ import annotations

import io
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from gellib.data.image_files import ImageLimits, RefusedError, large_alone
from gellib.data.native_output import native_output_caught
from gellib.data.pixels import deep_to_uint8, is_blank, to_uint8, turn

# The formats are called directly, not through `Image.open`: Pillow would check its own limit of
# pixels (a global setting) before ours, and would open formats that run external programs.
_FORMATS: dict[str, Any] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.jpeg_factory,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
_ORIENTATION = 0x0112
# A JPEG needs a bit for each 8 x 8 block at least; one of more pixels per byte has a damaged size.
_MOST_PIXELS = 8 * 64
# What Pillow says of long texts in a PNG, such as the history of its making, and their chunks.
_TEXT_LIMIT = re.compile("MAX_TEXT_CHUNK|text chunks")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
_pillow_limit_lock = threading.Lock()


def decode_with_pillow(
    kind: str, stream: BinaryIO, color: str, limits: ImageLimits, facts: dict[str, Any]
) -> np.ndarray:
    """Decode the first page of an image to uint8, (H, W) for grey or (H, W, 3) for rgb.

    Parameters
    ----------
    kind
        As `sniff_type` names it.
    stream
        The file, at its start.
    color
        `grey` or `rgb`.
    limits
        Largest image that is decoded.
    facts
        Fields of `ImageInfo`, filled in as they become known.

    Raises
    ------
    Exception
        Of any type, by Pillow, if the file is damaged; `RefusedError` if it is too large.
    """
    try:
        return _decode(kind, stream, color, limits, facts)
    except ValueError as err:
        if kind != "PNG" or not _TEXT_LIMIT.search(str(err)):
            raise
        return _decode(kind, _without_texts(stream), color, limits, facts)


def _decode(
    kind: str, stream: BinaryIO, color: str, limits: ImageLimits, facts: dict[str, Any]
) -> np.ndarray:
    with _open(kind, stream, limits) as image:
        facts.update(_header_facts(image))
        if kind == "JPEG" and image.width * image.height > _MOST_PIXELS * facts.get("bytes", 1e12):
            raise RefusedError("truncated or damaged JPEG file")
        deep = image.format == "PNG" and facts["bit_depth"] == 16 and not image.mode.startswith("I")
        channels = len(image.getbands())
        limits.check(image.width, image.height, channels * (2 if deep else 1))
        size = (image.width, image.height)
        with large_alone(*size), _pillow_allows(math.prod(size)):
            pixels = _read_deep_png(image, stream, color) if deep else None
            if pixels is None:
                image.load()
                pixels = to_uint8(_rotate(image), color)
            facts.update(width=pixels.shape[1], height=pixels.shape[0])
            if facts["frames"] > 1 and is_blank(pixels):
                facts["note"] = _about_blank(image, facts["frames"])
            return pixels


def _without_texts(stream: BinaryIO) -> BinaryIO:
    """Copy a PNG without its texts and colour profile."""
    stream.seek(0)
    data = stream.read()
    kept, at = [data[:8]], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] not in _TEXTS:
            kept.append(data[at:end])
        at = end
    return io.BytesIO(b"".join(kept))


def _read_deep_png(image: Image.Image, stream: BinaryIO, color: str) -> np.ndarray | None:
    """Decode a PNG of 16 bits that Pillow would reduce to 8; None if it has one channel."""
    key = image.info.get("transparency")
    orientation = _orientation(image)
    stream.seek(0)
    with native_output_caught():  # what libpng says of colour profiles and interlacing
        values = imagecodecs.png_decode(stream.read())
    if values.ndim != 3 or values.dtype.itemsize != 2:
        return None
    values, alpha = _split_alpha(turn(values, orientation))
    if alpha is None and isinstance(key, tuple) and values.ndim == 3:
        alpha = (values != np.array(key, values.dtype)).any(axis=-1)
    return deep_to_uint8(values, color, alpha=alpha)


def _split_alpha(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    channels = values.shape[-1]
    if channels == 2:
        return values[..., 0], values[..., 1]
    return values[..., :3], values[..., 3] if channels == 4 else None


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF does not make the image unreadable
        return 1


def _open(kind: str, stream: BinaryIO, limits: ImageLimits) -> Image.Image:
    # Without a file name: Pillow would map the file of that name into memory.
    try:
        return _FORMATS[kind](stream)
    except Image.DecompressionBombError:  # WebP checks Pillow's limit at once
        stream.seek(0)
        with _pillow_allows(limits.max_pixels):
            return _FORMATS[kind](stream)


def _header_facts(image: Image.Image) -> dict[str, Any]:
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception:  # a damaged later page must not hide the first one
        frames = 1
    image.seek(0)
    depth = {"1": 1, "I": 32, "F": 32}.get(image.mode, 16 if image.mode.startswith("I;16") else 8)
    tile = getattr(image, "tile", None)
    if image.format == "PNG" and tile:
        raw = tile[0][3]
        stored = re.search(r";(\d+)", str(raw if isinstance(raw, str) else raw[0]))
        depth = int(stored.group(1)) if stored else depth
    return {
        "mode": image.mode,
        "bit_depth": depth,
        "width": image.width,
        "height": image.height,
        "frames": frames,
    }


def _about_blank(image: Image.Image, frames: int) -> str:
    try:
        image.seek(1)
        following = np.asarray(image.convert("L"))
    except Exception:  # a damaged later page says nothing about the first
        return ""
    return "" if is_blank(following) else blank_note(frames)


def blank_note(frames: int) -> str:
    """Say that the first page, which is used, is blank, and the next is not."""
    return f"the first of its {frames} pages is blank, and it is the one that is used"


@contextmanager
def _pillow_allows(pixels: int) -> Iterator[None]:
    """Let Pillow decode an image that `ImageLimits` allows; its own limit is restored at once."""
    if Image.MAX_IMAGE_PIXELS is None or pixels <= Image.MAX_IMAGE_PIXELS:
        yield
        return
    with _pillow_limit_lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = max(pixels, before or 0)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _rotate(image: Image.Image) -> Image.Image:
    with suppress(Exception):  # damaged EXIF does not make the image unreadable
        ImageOps.exif_transpose(image, in_place=True)  # without a copy if there is no rotation
    return image
