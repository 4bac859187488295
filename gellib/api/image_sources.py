"""Images in whatever form they come, as what a predictor reads: files, or names with bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# An image to predict: a file or folder, an array, a Pillow image, or bytes with or without a name.
ImageSource = str | Path | bytes | tuple[str, bytes] | np.ndarray | Image.Image
ONE_IMAGE = (str, Path, bytes, tuple, np.ndarray, Image.Image)


def sources_of(image: Any, number: int) -> list[Any]:
    """Turn one image into what a predictor reads; a folder into its files.

    Raises
    ------
    TypeError
        When it is no image.
    """
    if isinstance(image, (str, Path)):
        from gellib.training_run.predictor import expand_files

        return list(expand_files([image]))
    if isinstance(image, np.ndarray):
        return [(f"image {number}", _encode(_from_array(image, number)))]
    if isinstance(image, Image.Image):
        name = Path(getattr(image, "filename", "") or f"image {number}").name
        return [(name, _encode(image))]
    if isinstance(image, bytes):
        return [(f"image {number}", image)]
    if isinstance(image, tuple) and len(image) == 2 and isinstance(image[1], bytes):
        return [(str(image[0]), image[1])]
    raise TypeError(
        f"image {number}: got {type(image).__name__}; expected a file, a folder, an array, a "
        "Pillow image, bytes, or (name, bytes)"
    )


def _from_array(array: np.ndarray, number: int) -> Image.Image:
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if array.size and ((array.dtype == np.uint8 and (grey or colour)) or _is_deep(array, grey)):
        return Image.fromarray(np.ascontiguousarray(array))
    raise TypeError(
        f"image {number}: got an array of {array.dtype}, shape {array.shape}; expected uint8 "
        "(height, width) or (height, width, 3), or uint16 (height, width). Scale other numbers "
        "to 0..255 first"
    )


def _is_deep(array: np.ndarray, grey: bool) -> bool:
    return array.dtype == np.uint16 and grey


def _encode(image: Image.Image) -> bytes:
    """Write an image without loss, so that it is read as a file of its own would be."""
    buffer = io.BytesIO()
    kept = image.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16")
    (image if kept else image.convert("RGB")).save(buffer, "PNG")
    return buffer.getvalue()
