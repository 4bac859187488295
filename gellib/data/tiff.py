"""Decode TIFF by its tags, with tifffile: which page is the picture, and what its samples mean."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import tifffile
from tifffile import TiffPage

from gellib.data.image_files import ImageLimits, RefusedError, large_alone
from gellib.data.native_output import native_output_caught
from gellib.data.pillow_images import blank_note, decode_with_pillow
from gellib.data.pixels import is_blank, turn
from gellib.data.tiff_samples import (
    BLACK_IS_ZERO,
    CIELAB,
    CMYK,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    alpha_kind,
    channel_note,
    interpret_samples,
    name_colors,
)

# Pages whose tags are looked at; a file of more pages is counted, but not searched further.
_MOST_PAGES = 64
_REDUCED, _MASK = 1, 4  # bits of the tag NewSubfileType
_SUBFILE_TYPE, _OLD_SUBFILE_TYPE, _ORIENTATION = 254, 255, 274
_STRIP_BYTES, _TILE_BYTES = 279, 325
_OJPEG, _JPEG = 6, 7
# Decoded bytes per stored byte that a compression (none, LZW, deflate, PackBits) can reach; a file
# that promises more has a damaged size.
_MOST_RATIO = {1: 1.01, 5: 1400, 8: 1100, 32946: 1100, 32773: 65}
_ADVICE = "open it in the program that wrote it, or in ImageJ, and save it as PNG or plain TIFF"


def decode_tiff(
    stream: BinaryIO, color: str, limits: ImageLimits, facts: dict[str, Any]
) -> np.ndarray:
    """Decode the first full page of a TIFF to uint8, (H, W) for grey or (H, W, 3) for rgb.

    Parameters
    ----------
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
    RefusedError
        If it is too large, or holds something that is no picture.
    Exception
        Of any other type, by tifffile, if the file is damaged.
    """
    with _tifffile_silent(), tifffile.TiffFile(stream) as tif:
        pages, frames = full_pages(tif)
        page = pages[0]
        facts.update(_page_facts(page, frames))
        if _needs_pillow(page):
            return _decode_with_libtiff(stream, color, limits, facts)
        pixels = _read_page(page, color, limits, stream)
        facts.update(width=pixels.shape[1], height=pixels.shape[0])
        facts["note"] = channel_note(page)
        if len(pages) > 1 and is_blank(pixels) and _is_full(pages[1], limits, stream):
            facts["note"] = blank_note(frames)
        return pixels


def full_pages(tif: tifffile.TiffFile) -> tuple[list[TiffPage], int]:
    """Return the pages that are no thumbnail or mask, and how many pages the file has.

    Some cameras and scanners write a thumbnail as the first page, and the picture below it.
    """
    looked: list[Any] = [tif.pages[0]]
    total = 1
    try:
        total = len(tif.pages)
        looked += [tif.pages[number] for number in range(1, min(total, _MOST_PAGES))]
    except Exception:  # a damaged later page must not hide the first one
        total = len(looked)
    full = [page for page in looked if not _is_reduced(page)]
    if not full:
        inner = [sub for page in looked for sub in (getattr(page, "pages", None) or [])]
        full = [page for page in inner if not _is_reduced(page)] or looked[:1]
    while len(full) > 1 and _is_thumbnail_of(full[0], full[1]):
        full = full[1:]
    below = getattr(full[0], "pages", None) or []
    larger = [sub for sub in below if not _is_reduced(sub) and _is_thumbnail_of(full[0], sub)]
    full = larger[:1] + full[1:] if larger else full
    for page in full:
        name_colors(page)
    frames = len(full) + max(0, total - _MOST_PAGES)
    # ImageJ writes the tags of the first page alone if a stack is large.
    stack = re.match(r"ImageJ=[\s\S]*?\bimages=(\d+)", full[0].description or "")
    return full, max(frames, int(stack.group(1)) if stack and total == 1 else 1)


def _is_reduced(page: TiffPage) -> bool:
    kind = page.tags.valueof(_SUBFILE_TYPE, default=0)
    return bool(kind & (_REDUCED | _MASK)) or page.tags.valueof(_OLD_SUBFILE_TYPE) == 2


def _is_thumbnail_of(page: TiffPage, other: TiffPage) -> bool:
    """Whether a page has the shape of the next at half the size or less, whatever its tags say."""
    width, height = page.imagewidth, page.imagelength
    if not (0 < 2 * width <= other.imagewidth and 0 < 2 * height <= other.imagelength):
        return False
    shape = (width / height) / (other.imagewidth / other.imagelength)
    return abs(shape - 1) <= 1 / min(width, height)  # as rounding to whole pixels makes it


def _page_facts(page: TiffPage, frames: int) -> dict[str, Any]:
    if isinstance(page.bitspersample, tuple):
        raise RefusedError(f"a TIFF whose channels differ in their number of bits: {_ADVICE}")
    bits = int(page.bitspersample)
    mode = {PALETTE: "P", CMYK: "CMYK"}.get(page.photometric, "")
    if not mode and page.samplesperpixel == 1:
        deep = "F" if page.sampleformat == 3 else "I;16" if bits <= 16 else "I"
        mode = "1" if bits == 1 else "L" if bits <= 8 else deep
    elif not mode:
        colors = "RGB" if page.photometric in (RGB, YCBCR) else "L"
        mode = colors + ("A" if alpha_kind(page) else "")
    return {
        "mode": mode,
        "bit_depth": bits,
        "width": page.imagewidth,
        "height": page.imagelength,
        "frames": frames,
    }


def _needs_pillow(page: TiffPage) -> bool:
    """Whether libtiff knows a kind that tifffile does not: old JPEG, brightness with colour.

    It also finds out how long compressed strips are where the tags do not say.
    """
    unknown = page.compression != 1 and not {_STRIP_BYTES, _TILE_BYTES} & set(page.tags.keys())
    brightness = page.photometric == YCBCR and page.compression != _JPEG
    return page.compression == _OJPEG or brightness or unknown


def _decode_with_libtiff(
    stream: BinaryIO, color: str, limits: ImageLimits, facts: dict[str, Any]
) -> np.ndarray:
    stream.seek(0)
    own = dict(facts)
    with native_output_caught() as said:
        pixels = decode_with_pillow("TIFF", stream, color, limits, own)
    facts.update(width=pixels.shape[1], height=pixels.shape[0])
    if said:
        facts["note"] = "its tags are not as they should be; look at whether it was read right"
    return pixels


def _read_page(page: TiffPage, color: str, limits: ImageLimits, stream: BinaryIO) -> np.ndarray:
    _check_kind(page)
    bytes_per_pixel = page.samplesperpixel * math.ceil(page.bitspersample / 8)
    limits.check(page.imagewidth, page.imagelength, bytes_per_pixel)
    _check_layout(page, stream)
    with large_alone(page.imagewidth, page.imagelength):
        # (separate samples, depth, height, width, samples side by side)
        values = page.asarray(squeeze=False, maxworkers=1)[:, 0]
        samples = values[..., 0] if len(values) > 1 else np.moveaxis(values[0], -1, 0)
        pixels = interpret_samples(page, samples, color)
        return np.ascontiguousarray(turn(pixels, page.tags.valueof(_ORIENTATION, default=1)))


def _check_kind(page: TiffPage) -> None:
    if page.photometric in (32803, 34892):
        raise RefusedError("a camera's raw file (DNG, NEF, ...): save it as TIFF or JPEG")
    if page.photometric not in (
        WHITE_IS_ZERO,
        BLACK_IS_ZERO,
        RGB,
        PALETTE,
        CMYK,
        YCBCR,
        CIELAB,
    ):
        raise RefusedError(f"a TIFF whose colours are of a rare kind: {_ADVICE}")
    if page.sampleformat in (5, 6):
        raise RefusedError("a TIFF of complex numbers, not of brightness: save their magnitude")
    bits = page.bitspersample
    if bits > 16 and bits not in (32, 64):  # programs do not agree on the order of the bytes
        raise RefusedError(f"a TIFF whose pixels have a rare number of bits: {_ADVICE}")
    if page.dtype is None or not _known(page.compression):
        raise RefusedError(f"a TIFF of a rare kind: {_ADVICE}")


def _known(compression: int) -> bool:
    return compression == 1 or compression in tifffile.TIFF.DECOMPRESSORS


def _check_layout(page: TiffPage, stream: BinaryIO) -> None:
    """Refuse a page whose tags promise more than the file holds."""
    size, counts, offsets = stream.seek(0, 2), page.databytecounts, page.dataoffsets
    damaged = RefusedError("truncated or damaged TIFF file")
    if not offsets or not page.shaped or 0 in page.shaped:
        raise damaged
    wanted = math.ceil(page.size * page.bitspersample / 8)
    if page.is_contiguous:
        if offsets[0] + wanted > size:
            raise damaged
        return
    if len(offsets) < math.prod(page.chunked) or len(counts) < len(offsets):
        raise damaged
    if any(n == 0 or at + n > size for at, n in zip(offsets, counts, strict=False)):
        raise damaged
    if wanted > 1_000_000 and wanted > _MOST_RATIO.get(page.compression, math.inf) * sum(counts):
        raise damaged


def _is_full(page: TiffPage, limits: ImageLimits, stream: BinaryIO) -> bool:
    """Whether a page can be read and is not blank."""
    try:
        pixels = _read_page(page, "grey", limits, stream)
    except Exception:  # a damaged later page says nothing about the first
        return False
    return not is_blank(pixels)


class _Silent(logging.Filter):
    """Drops what tifffile logs about the tags of a file that this thread is reading."""

    reading = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        return not getattr(self.reading, "on", False)


_SILENT = _Silent()
tifffile.logger().addFilter(_SILENT)


@contextmanager
def _tifffile_silent() -> Iterator[None]:
    _SILENT.reading.on = True
    try:
        yield
    finally:
        _SILENT.reading.on = False
