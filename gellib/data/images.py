"""Read one image file safely: any bit depth, palette, alpha, orientation; within limits."""

from __future__ import annotations

import io
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

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

from gellib.data.image_files import HEAD_BYTES, BadImageError, ImageInfo, ImageLimits, sniff_type
from gellib.data.pixels import is_white_zero, to_uint8

Color = Literal["grey", "rgb"]
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
_pillow_limit_lock = threading.Lock()


def read_image(
    source: str | Path | bytes | BinaryIO,
    *,
    color: Color = "grey",
    limits: ImageLimits | None = None,
    name: str = "",
) -> np.ndarray:
    """Read the first page of an image as uint8, (H, W) for grey or (H, W, 3) for rgb.

    The content decides the file type, never the extension. EXIF rotation is applied and alpha is
    composited over white. One-channel images of more than 8 bits are scaled so that their
    `pixels.LOW_PERCENTILE` and `HIGH_PERCENTILE` become 0 and 255; integers that fit in 0..255 are
    8-bit data in a larger container and stay as they are; a constant image becomes 0;
    not-a-number becomes 0. Colour of 16 bits per channel is reduced by Pillow to its upper 8 bits.

    Parameters
    ----------
    source
        Path of a file, its bytes, or a binary stream.
    color
        `grey` or `rgb`.
    limits
        Largest file and image that are read; None: the defaults of `ImageLimits`.
    name
        Name of the file in messages if `source` is bytes or a stream.

    Raises
    ------
    BadImageError
        If the file is missing, empty, larger than `limits`, truncated or not an image.
    ValueError
        If `color` is unknown.
    """
    if color not in ("grey", "rgb"):
        raise ValueError(f"color: got {color!r}. Expected 'grey' or 'rgb'.")
    return _read(source, color, limits or ImageLimits(), name, {})


def inspect_image(path: str | Path, limits: ImageLimits | None = None) -> ImageInfo:
    """Describe a file after decoding it completely; never raises for a bad file."""
    return examine_image(path, limits)[0]


def examine_image(
    path: str | Path,
    limits: ImageLimits | None = None,
    *,
    color: Color = "grey",
) -> tuple[ImageInfo, np.ndarray | None]:
    """Read a file and describe it at once; the pixels are None if it cannot be read."""
    facts: dict[str, Any] = {}
    reason, pixels = "", None
    try:
        pixels = _read(path, color, limits or ImageLimits(), "", facts)
    except BadImageError as err:
        reason = err.reason
    return ImageInfo(path=str(path), reason=reason, **facts), pixels


def _read(source: Any, color: str, limits: ImageLimits, name: str, facts: dict) -> np.ndarray:
    if isinstance(source, (str, Path)):
        name = name or str(source)
        try:
            # Opening a pipe or device would block forever.
            if not os.path.isfile(source) and os.path.exists(source):
                raise BadImageError(name, "a folder or device, not a file")
            with open(source, "rb") as stream:
                return _decode(stream, color, limits, name, facts)
        except FileNotFoundError:
            raise BadImageError(name, "no such file") from None
        except OSError as err:
            raise BadImageError(name, f"cannot be opened: {err.strerror or err}") from err
    if not isinstance(source, (bytes, bytearray, memoryview)):
        source = source.read(limits.max_bytes + 1)
    return _decode(io.BytesIO(source), color, limits, name or "image", facts)


def _decode(
    stream: BinaryIO, color: str, limits: ImageLimits, name: str, facts: dict
) -> np.ndarray:
    size = facts["bytes"] = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    if size == 0:
        raise BadImageError(name, "empty file")
    if size > limits.max_bytes:
        limit = f"the limit is {limits.max_bytes / 1e6:g} MB"
        raise BadImageError(name, f"{size / 1e6:.1f} MB, {limit}")
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    kind = facts["file_type"] = sniff_type(head)
    if not kind:
        expected = "PNG, JPEG, TIFF, BMP, GIF and WebP are read"
        raise BadImageError(name, f"not an image (starts with {head[:12]!r}); {expected}")
    try:
        with _open(kind, stream, limits) as image:
            facts.update(_header_facts(image))
            pixels = image.width * image.height
            if pixels > limits.max_pixels:
                limit = f"the limit is {limits.max_pixels / 1e6:g}"
                raise BadImageError(name, f"{pixels / 1e6:.1f} megapixels, {limit}")
            with _pillow_allows(pixels):
                image.load()
                upright = _rotate(image)
                facts.update(width=upright.width, height=upright.height)
                return to_uint8(upright, color, white_is_zero=is_white_zero(image))
    except BadImageError:
        raise
    # Decoders raise errors of every type for damaged files, from SyntaxError to struct.error.
    except Exception as err:
        raise BadImageError(name, _reason(err, kind, limits)) from err


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
    if image.format in ("PNG", "TIFF") and tile:
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
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF does not make the image unreadable
        return image


def _reason(err: Exception, kind: str, limits: ImageLimits) -> str:
    text = str(err) or type(err).__name__
    if isinstance(err, Image.DecompressionBombError):
        return f"too many megapixels, the limit is {limits.max_pixels / 1e6:g}"
    if isinstance(err, MemoryError):
        return "too large for the memory of this machine"
    if isinstance(err, EOFError) or re.search("truncat|not enough|end of|unexpected e", text, re.I):
        return f"truncated or damaged {kind} file"
    return f"cannot be decoded as {kind}: {text}"
