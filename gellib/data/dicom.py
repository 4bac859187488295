"""Read DICOM by pydicom (extra `dicom`): the first frame with its window, and the patient."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gellib.data.image_files import ImageLimits, RefusedError
from gellib.data.pixels import deep_to_uint8

_SUFFIXES = ("", ".dcm", ".dicom", ".ima")


def decode_dicom(
    stream: BinaryIO, color: str, limits: ImageLimits, facts: dict[str, Any]
) -> np.ndarray:
    """Decode the first frame to uint8, (H, W) for grey or (H, W, 3) for rgb.

    The window that the file gives becomes black to white; without one the percentiles decide, as
    for any deep image.

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
        If pydicom is missing, or the file holds no picture that it can decode.
    """
    try:
        import pydicom
        from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array
    except ModuleNotFoundError:
        raise RefusedError("a DICOM file: to read it, run pip install 'gellib[dicom]'") from None
    data = pydicom.dcmread(stream)
    if "PixelData" not in data or "Rows" not in data:
        raise RefusedError("a DICOM file without a picture in it")
    height, width, frames = int(data.Rows), int(data.Columns), int(data.get("NumberOfFrames") or 1)
    kind = str(data.get("PhotometricInterpretation", ""))
    bits = int(data.BitsStored)
    facts.update(mode=kind, bit_depth=bits, width=width, height=height, frames=frames)
    limits.check(width, height, int(data.get("SamplesPerPixel", 1)) * 2)
    try:
        values = pixel_array(data, index=0)
    except (RuntimeError, NotImplementedError):  # a compression without its library
        raise RefusedError(
            "a compressed DICOM file: run pip install pylibjpeg[all], or save it uncompressed"
        ) from None
    if values.ndim == 3:
        return deep_to_uint8(values, color)
    if kind == "PALETTE COLOR":
        table = apply_color_lut(values, data)
        return deep_to_uint8(table >> 8 if table.max() > 255 else table, color)
    values = apply_modality_lut(values, data)
    pixels = _window(values, data)
    return deep_to_uint8(values if pixels is None else pixels, color, inverted=kind[-1:] == "1")


def read_patient(path: str | Path) -> str:
    """Return the patient of a DICOM file; empty if it is another file, or does not say."""
    if Path(path).suffix.casefold() not in _SUFFIXES:
        return ""
    try:
        import pydicom

        data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["PatientID"])
        return str(data.get("PatientID") or "").strip()
    except Exception:  # pydicom is missing, or the file is no DICOM: it has no patient
        return ""


def _window(values: np.ndarray, data: Any) -> np.ndarray | None:
    center, width = (_first(data.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if center is None or width is None or width <= 1:
        return None
    shares = (values.astype(np.float32) - (center - 0.5)) / (width - 1) + 0.5
    pixels = np.rint(255 * np.clip(shares, 0, 1)).astype(np.uint8)
    # A window that shows nothing, as files have whose values were changed afterwards.
    return None if pixels.min() == pixels.max() else pixels


def _first(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        return float(value)
    except TypeError:
        return float(value[0])
