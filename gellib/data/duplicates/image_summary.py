"""Summaries of image files: file facts, a small grey image, and a few numbers about colours."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from gellib.data.duplicates.align import FULL
from gellib.data.image_files import ImageInfo, ImageLimits
from gellib.data.images import examine_image


@dataclass(frozen=True)
class ImageSummary:
    """What one file contains; every field except `info` is empty for a file that cannot be read.

    `thumbnail` is the grey image resized to (64, 64) float16, aspect ratio ignored; `pixel_digest`
    a digest of all its grey pixels; `brightness` their mean (0 to 255); `tint` the mean range of
    red, green and blue (0 to 255); `border` the share of the image (0 to 1) that uniform strips
    along its sides take up.
    """

    info: ImageInfo
    thumbnail: np.ndarray | None = None
    pixel_digest: str = ""
    brightness: float = 0.0
    tint: float = 0.0
    border: float = 0.0


def summarise_images(
    paths: Sequence[str],
    limits: ImageLimits | None = None,
    *,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[ImageSummary]:
    """Decode each file once, in threads; return one summary per path, in their order.

    `progress` wraps an iterable and takes its `total`, as `tqdm` does.
    """
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        summaries = pool.map(lambda path: _summarise(path, limits), paths)
        return list(progress(summaries, total=len(paths)) if progress else summaries)


def _summarise(path: str, limits: ImageLimits | None) -> ImageSummary:
    info, pixels = examine_image(path, limits, color="rgb")
    if pixels is None:
        return ImageSummary(info)
    image = Image.fromarray(pixels)
    grey = image.convert("L")
    # In floating point: a dim gel has few grey levels, and their means tell bands from noise.
    small = grey.convert("F").resize((FULL, FULL), Image.Resampling.LANCZOS, reducing_gap=3)
    plain = np.asarray(grey)
    digest = hashlib.blake2b(repr(plain.shape).encode() + plain.tobytes(), digest_size=20)
    colours = np.asarray(image.resize((32, 32), Image.Resampling.BOX), np.float32)
    return ImageSummary(
        info,
        thumbnail=np.asarray(small).astype(np.float16),
        pixel_digest=digest.hexdigest(),
        brightness=float(plain.mean()),
        tint=float(np.ptp(colours, axis=2).mean()),
        border=_border(plain),
    )


def _border(grey: np.ndarray) -> float:
    """Return the share of the image (0 to 1) in uniform rows and columns along its four sides."""
    kept = 1.0
    for axis in (0, 1):
        low, high = grey.min(axis=1 - axis).astype(int), grey.max(axis=1 - axis).astype(int)
        busy = np.flatnonzero(high - low > 12)
        if not len(busy):
            return 1.0
        kept *= (busy[-1] - busy[0] + 1) / grey.shape[axis]
    return 1 - float(kept)
