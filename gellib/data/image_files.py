"""What an image file is before it is decoded: its type, its limits, its digest, why it is bad."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gellib.config import RunConfig

# Bytes from the start of a file that `sniff_type` needs.
HEAD_BYTES = 512
# Pixels from which images are decoded one at a time.
_LARGE = 20_000_000
_large_lock = threading.RLock()
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")


class BadImageError(ValueError):
    """A file is not an image that can be read: `path` is the file, `reason` says why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class RefusedError(ValueError):
    """A decoder refuses an image; the text is a reason in plain words, for `BadImageError`."""


@dataclass(frozen=True)
class ImageLimits:
    """Largest file, in bytes, and largest image, in pixels, that are decoded."""

    max_bytes: int = 200_000_000
    max_pixels: int = 100_000_000

    @classmethod
    def of(cls, config: RunConfig) -> ImageLimits:
        """Return the limits that a configuration names."""
        return cls(int(config.max_image_mb * 1e6), int(config.max_image_mpx * 1e6))

    def check(self, width: int, height: int, bytes_per_pixel: int = 1) -> None:
        """Refuse an image before it is decoded, by its size in pixels and in memory.

        Raises
        ------
        RefusedError
            If it has more than `max_pixels`, or takes more than 8 bytes for each of these.
        """
        pixels = width * height
        if pixels > self.max_pixels:
            limit = f"the limit is {self.max_pixels / 1e6:g}"
            raise RefusedError(f"{pixels / 1e6:.1f} megapixels, {limit}")
        if pixels * bytes_per_pixel > 8 * self.max_pixels:
            limit = f"the limit is {8 * self.max_pixels / 1e6:g}"
            raise RefusedError(f"{pixels * bytes_per_pixel / 1e6:.0f} MB of pixels, {limit}")


@contextmanager
def large_alone(width: int, height: int) -> Iterator[None]:
    """Decode an image of very many pixels while no other thread decodes one: memory is bounded."""
    if width * height < _LARGE:
        yield
        return
    with _large_lock:
        yield


@dataclass(frozen=True)
class ImageInfo:
    """Properties of one file, as far as they are known; `reason` is empty if it can be read.

    `width` and `height` are pixels of the first page after EXIF rotation; `bit_depth` is bits per
    channel as stored; `frames` is the number of pages, without those of reduced resolution; `bytes`
    is the size of the file; `note` says what else should be known about how it was read.
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
    note: str = ""

    @property
    def blank_first_page(self) -> bool:
        """Whether the page that is used is blank, and a later one is not."""
        return "page" in self.note and "is blank" in self.note


def sniff_type(head: bytes) -> str:
    """Return the file type by the first `HEAD_BYTES` of a file: a name like `PNG`, or empty."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff") and head[3:4] != b"\xf7":  # of JPEG-LS
        return "JPEG"
    if head.startswith(_TIFF_STARTS):
        return "TIFF"
    if head[128:132] == b"DICM":
        return "DICOM"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    # Texts may start with "BM" too, so the size of the header must be a valid one.
    if head.startswith(b"BM") and head[15:18] == b"\0\0\0" and head[14:15] in b"\x0c(4@8l|":
        return "BMP"
    return ""


def open_file(path: str | Path) -> BinaryIO:
    """Open a file for reading; a pipe or device is refused at once, and never waited for.

    Raises
    ------
    OSError
        If there is no such file, or it is a folder, pipe or device.
    """
    stream = open(path, "rb", opener=_open_at_once)
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise IsADirectoryError(errno.EISDIR, "a folder or device, not a file", str(path))
    return stream


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def file_digest(path: str | Path) -> str:
    """Compute the sha256 of a file's bytes, 64 hex digits."""
    digest = hashlib.sha256()
    with open_file(path) as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
