"""Read one image file safely: any bit depth, palette, alpha, orientation; limits; plain reasons."""

from __future__ import annotations

import hashlib
import io
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

# How an image is read.
Color = Literal["grey", "rgb"]
# Pixels deeper than 8 bits are stretched linearly so that these percentiles of the image become
# 0 and 255. Symmetric, because bands are the bright tail of one gel and the dark tail of the next;
# so near the ends that a faint band, a fraction of a percent of the area, keeps its shades; not at
# the ends, because one hot or dead pixel of a camera would then decide the contrast.
LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9

# Calling the formats directly, not `Image.open`, keeps Pillow from sounding its own alarm about
# large images (a global setting) before ours is checked, and keeps out formats that run programs.
_FORMATS: dict[str, Any] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.jpeg_factory,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")
_HEAD_BYTES = 32
_pillow_limit_lock = threading.Lock()


class BadImageError(ValueError):
    """A file is not an image that can be read; `path` says which, `reason` why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class ImageLimits:
    """What is refused before it is decoded: size of the file in bytes, of the image in pixels."""

    max_bytes: int = 200_000_000
    max_pixels: int = 100_000_000


@dataclass(frozen=True)
class ImageInfo:
    """Facts of one file, as far as they could be found out; `reason` is empty when it is readable.

    `width` and `height` are pixels of the first page as it is shown, after EXIF rotation;
    `bit_depth` is bits per channel as stored.
    """

    path: str
    file_type: str = ""
    mode: str = ""
    bit_depth: int = 0
    width: int = 0
    height: int = 0
    frames: int = 0
    bytes: int = 0
    reason: str = ""


def sniff_type(head: bytes) -> str:
    """Tell the file type from the first 32 bytes of a file: a name like `PNG`, or empty."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(_TIFF_STARTS):
        return "TIFF"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    # "BM" alone also starts words: the size of the header that follows has to be one that exists.
    if head.startswith(b"BM") and head[15:18] == b"\0\0\0" and head[14:15] in b"\x0c(4@8l|":
        return "BMP"
    return ""


def read_image(
    source: str | Path | bytes | BinaryIO,
    *,
    color: Color = "grey",
    limits: ImageLimits | None = None,
    name: str = "",
) -> np.ndarray:
    """Read the first page of an image as uint8, (H, W) for grey or (H, W, 3) for rgb.

    The content decides on the file type, never the extension. EXIF rotation is applied and alpha is
    composited over white. One-channel images of more than 8 bits are stretched so that their
    `LOW_PERCENTILE` and `HIGH_PERCENTILE` become 0 and 255; integers that fit in 0..255 are 8-bit
    data in a larger container and stay as they are; a constant image becomes 0; not-a-number
    becomes 0. Colour of 16 bits per channel is reduced by Pillow to its upper 8 bits.

    Raises
    ------
    BadImageError
        For files that are missing, empty, larger than `limits`, truncated or not an image. `name`
        stands for the file in the message when `source` is bytes or a stream.
    """
    if color not in ("grey", "rgb"):
        raise ValueError(f"color: got {color!r}, expected 'grey' or 'rgb'")
    return _read(source, color, limits or ImageLimits(), name, {})


def inspect_image(path: str | Path, limits: ImageLimits | None = None) -> ImageInfo:
    """Find out what a file is by decoding it wholly; never raises for a bad file."""
    return examine_image(path, limits)[0]


def examine_image(
    path: str | Path,
    limits: ImageLimits | None = None,
    *,
    color: Color = "grey",
) -> tuple[ImageInfo, np.ndarray | None]:
    """Read a file and find out what it is in one go; no pixels where it cannot be read."""
    facts: dict[str, Any] = {}
    reason, pixels = "", None
    try:
        pixels = _read(path, color, limits or ImageLimits(), "", facts)
    except BadImageError as err:
        reason = err.reason
    return ImageInfo(path=str(path), reason=reason, **facts), pixels


def file_digest(path: str | Path) -> str:
    """Compute the sha256 of a file's bytes, 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _read(source: Any, color: str, limits: ImageLimits, name: str, facts: dict) -> np.ndarray:
    if isinstance(source, (str, Path)):
        name = name or str(source)
        try:
            # A pipe or device would make `open` wait for ever.
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
    head = stream.read(_HEAD_BYTES)
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
                return _to_uint8(upright, color, white_is_zero=_white_is_zero(image))
    except BadImageError:
        raise
    # Decoders answer damaged files with errors of every kind, from SyntaxError to struct.error.
    except Exception as err:
        raise BadImageError(name, _reason(err, kind, limits)) from err


def _open(kind: str, stream: BinaryIO, limits: ImageLimits) -> Image.Image:
    # Without a file name: Pillow would map whatever file has that name into memory.
    try:
        return _FORMATS[kind](stream)
    except Image.DecompressionBombError:  # WebP looks at Pillow's limit at once
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
    """Let Pillow decode an image that `ImageLimits` allows; its own setting is put back at once."""
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
    except Exception:  # damaged EXIF does not make the picture unreadable
        return image


def _white_is_zero(image: Image.Image) -> bool:
    # Pillow turns such TIFFs (many gel imagers write them) round for 8 bits, not for more.
    deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    photometric = getattr(image, "tag_v2", {}).get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION)
    return deep and photometric == 0


def _to_uint8(image: Image.Image, color: str, *, white_is_zero: bool) -> np.ndarray:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = stretch(np.asarray(image))
        grey = 255 - grey if white_is_zero else grey
        return grey if color == "grey" else np.stack([grey] * 3, axis=-1)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        if image.mode == "La":  # Pillow converts it to LA only
            image = image.convert("LA")
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if color == "grey" and image.mode not in ("1", "L"):
        image = image.convert("RGB")
    return np.array(image.convert("L" if color == "grey" else "RGB"))


def stretch(values: np.ndarray) -> np.ndarray:
    """Scale deep pixels (H, W), integer or float, to uint8 by the percentile rule of `read_image`.

    Raises
    ------
    ValueError
        When no pixel is a finite number.
    """
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    # 16 bits fit in the smaller type exactly; large images would need much memory in the other.
    values = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    finite = np.isfinite(values)
    whole = values if finite.all() else values[finite]
    if whole.size == 0:
        raise ValueError("holds no finite number")
    # Within -1..1 not even the range of the largest floats overflows.
    largest = np.abs(whole).max() or 1.0
    values, whole = values / largest, whole / largest
    low, high = np.percentile(whole, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if low == high:  # a few bright pixels on an even ground, or a constant image
        low, high = whole.min(), whole.max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return np.rint(255 * ((np.clip(values, low, high) - low) / (high - low))).astype(np.uint8)


def _reason(err: Exception, kind: str, limits: ImageLimits) -> str:
    text = str(err) or type(err).__name__
    if isinstance(err, Image.DecompressionBombError):
        return f"too many megapixels, the limit is {limits.max_pixels / 1e6:g}"
    if isinstance(err, MemoryError):
        return "too large for the memory of this machine"
    if isinstance(err, EOFError) or re.search("truncat|not enough|end of|unexpected e", text, re.I):
        return f"truncated or damaged {kind} file"
    return f"cannot be decoded as {kind}: {text}"
