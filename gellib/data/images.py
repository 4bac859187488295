"""Read one image file safely: any bit depth, palette, alpha, orientation; within limits."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image

from gellib.data.dicom import decode_dicom
from gellib.data.foreign_files import READ, explain_file, explain_large
from gellib.data.image_files import (
    HEAD_BYTES,
    BadImageError,
    ImageInfo,
    ImageLimits,
    RefusedError,
    open_file,
    sniff_type,
)
from gellib.data.pillow_images import decode_with_pillow
from gellib.data.tiff import decode_tiff

Color = Literal["grey", "rgb"]


def read_image(
    source: str | Path | bytes | BinaryIO,
    *,
    color: Color = "grey",
    limits: ImageLimits | None = None,
    name: str = "",
) -> np.ndarray:
    """Read the first page of an image as uint8, (H, W) for grey or (H, W, 3) for rgb.

    The content decides the file type, never the extension. Pages of reduced resolution are passed
    over. EXIF rotation is applied and alpha is composited over white, but an alpha that is the same
    everywhere is ignored. Images of more than 8 bits, grey or colour, are scaled so that their
    `pixels.LOW_PERCENTILE` and `HIGH_PERCENTILE` (of all channels together) become 0 and 255;
    integers that fit in 0..255 are 8-bit data in a larger container and stay as they are; a
    constant image becomes 0; not-a-number becomes 0.

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
            with open_file(source) as stream:
                return _decode(stream, color, limits, name, facts)
        except FileNotFoundError:
            raise BadImageError(name, "no such file") from None
        except IsADirectoryError:
            raise BadImageError(name, "a folder or device, not a file") from None
        except ValueError as err:
            if isinstance(err, BadImageError):
                raise
            raise BadImageError(name, f"cannot be opened: {err}") from err
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
    foreign = explain_file(head, name) if not kind or kind == "TIFF" and head[8:10] == b"CR" else ""
    if foreign:
        raise BadImageError(name, foreign)
    if not kind:
        raise BadImageError(name, f"not an image (starts with {head[:12]!r}); {READ} are read")
    try:
        if kind == "TIFF":
            return decode_tiff(stream, color, limits, facts)
        if kind == "DICOM":
            return decode_dicom(stream, color, limits, facts)
        return decode_with_pillow(kind, stream, color, limits, facts)
    # Decoders raise errors of every type for damaged files, from SyntaxError to struct.error.
    except Exception as err:
        slide = explain_large(name) if isinstance(err, RefusedError) else ""
        raise BadImageError(name, slide or _reason(err, kind, limits)) from err


def _reason(err: Exception, kind: str, limits: ImageLimits) -> str:
    """Say in plain words why a decoder failed; its own words help nobody who has the picture."""
    text = str(err) or type(err).__name__
    if isinstance(err, RefusedError):
        return text
    if isinstance(err, Image.DecompressionBombError):
        return f"too many megapixels, the limit is {limits.max_pixels / 1e6:g}"
    if isinstance(err, MemoryError):
        return "too large for the memory of this machine"
    if "no finite number" in text:
        return "holds no finite number: every pixel is empty (NaN)"
    if re.search("unsupported|not supported|not implemented|unknown|cannot handle", text, re.I):
        return f"a {kind} of a rare kind: open it in ImageJ, and save it as PNG"
    return f"truncated or damaged {kind} file"
