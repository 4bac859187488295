"""The libraries that decode images: another version may read other pixels, or what one refused."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

# pydicom reads compressed files by what it finds of the others.
_READING = (
    "pillow", "tifffile", "imagecodecs", "pydicom", "pylibjpeg", "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-gdcm",
)  # fmt: skip


def versions_of(names: Iterable[str]) -> dict[str, str]:
    """Return the version of each package by its name; empty if it is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


@cache
def reading_versions() -> dict[str, str]:
    """Return the versions of what decodes images: a part of the key of all that is kept of them."""
    return versions_of(_READING)
