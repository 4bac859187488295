"""Convert decoded images of any mode and bit depth to 8 bits per channel."""

from __future__ import annotations

import numpy as np
from PIL import Image, TiffImagePlugin

# Pixels deeper than 8 bits are scaled linearly so that these percentiles of the image become 0 and
# 255. They are symmetric, because bands are the bright tail of one gel and the dark tail of the
# next. They are close to 0 and 100, so that a faint band, which covers a fraction of a percent of
# the area, keeps its shades. They are not 0 and 100, because one hot or dead pixel of a camera
# would then decide the contrast.
LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9


def to_uint8(image: Image.Image, color: str, *, white_is_zero: bool) -> np.ndarray:
    """Convert to uint8, (H, W) for grey or (H, W, 3) for rgb; alpha is composited over white.

    `white_is_zero` inverts images of one channel that are deeper than 8 bits.
    """
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
        If no pixel is a finite number.
    """
    if values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    # float32 holds 16 bits exactly, and large images would need much memory in float64.
    values = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    finite = np.isfinite(values)
    whole = values if finite.all() else values[finite]
    if whole.size == 0:
        raise ValueError("holds no finite number")
    # Scaled to -1..1, so that the range of very large floats cannot overflow.
    largest = np.abs(whole).max() or 1.0
    values, whole = values / largest, whole / largest
    low, high = np.percentile(whole, (LOW_PERCENTILE, HIGH_PERCENTILE))
    if low == high:  # a few bright pixels on a uniform background, or a constant image
        low, high = whole.min(), whole.max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return np.rint(255 * ((np.clip(values, low, high) - low) / (high - low))).astype(np.uint8)


def is_white_zero(image: Image.Image) -> bool:
    """Whether 0 means white in a deep TIFF, as many gel imagers write it.

    Pillow inverts such images itself if they have 8 bits.
    """
    deep = image.mode in ("I", "F") or image.mode.startswith("I;16")
    photometric = getattr(image, "tag_v2", {}).get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION)
    return deep and photometric == 0
