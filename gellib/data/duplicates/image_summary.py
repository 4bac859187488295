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
from gellib.data.duplicates.image_traits import ImageTraits, measure_traits
from gellib.data.duplicates.variants import busy_spans, without_margins
from gellib.data.image_files import ImageInfo, ImageLimits
from gellib.data.images import examine_image


@dataclass(frozen=True)
class ImageSummary:
    """What one file contains; every field except `info` is empty for a file that cannot be read.

    `thumbnail` is the grey image resized to (64, 64) float16, aspect ratio ignored; `content` the
    same of the image without even margins, and `aspect` its width divided by height; `pixel_digest`
    a digest of all its grey pixels; `brightness` their mean (0 to 255); `tint` the mean range of
    red, green and blue (0 to 255); `border` the share of the image (0 to 1) that uniform strips
    along its sides take up; `traits` what its making leaves in it, if that was asked for.
    """

    info: ImageInfo
    thumbnail: np.ndarray | None = None
    pixel_digest: str = ""
    brightness: float = 0.0
    tint: float = 0.0
    border: float = 0.0
    content: np.ndarray | None = None
    aspect: float = 1.0
    traits: ImageTraits | None = None


def summarise_images(
    paths: Sequence[str],
    limits: ImageLimits | None = None,
    *,
    traits: bool = False,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[ImageSummary]:
    """Decode each file once, in threads; return one summary per path, in their order.

    Parameters
    ----------
    paths
        The files.
    limits
        Largest file and image that are read.
    traits
        Also measure the traits that shortcuts are found by, which duplicates do not need.
    progress
        Wraps an iterable and takes its `total`, as `tqdm` does.
    """
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        summaries = pool.map(lambda path: _summarise(path, limits, traits), paths)
        return list(progress(summaries, total=len(paths)) if progress else summaries)


def _summarise(path: str, limits: ImageLimits | None, traits: bool = False) -> ImageSummary:
    info, pixels = examine_image(path, limits, color="rgb")
    if pixels is None:
        return ImageSummary(info)
    image = Image.fromarray(pixels)
    grey = image.convert("L")
    plain = np.asarray(grey)
    inner = without_margins(plain)
    small = _thumbnail(plain)
    content = small if inner is plain else _thumbnail(inner)
    digest = hashlib.blake2b(repr(plain.shape).encode() + plain.tobytes(), digest_size=20)
    colours = np.asarray(image.resize((32, 32), Image.Resampling.BOX), np.float32)
    return ImageSummary(
        info,
        thumbnail=small,
        pixel_digest=digest.hexdigest(),
        brightness=float(plain.mean()),
        tint=float(np.ptp(colours, axis=2).mean()),
        border=_border(plain),
        content=content,
        aspect=inner.shape[1] / inner.shape[0],
        traits=measure_traits(plain) if traits else None,
    )


def _thumbnail(grey: np.ndarray) -> np.ndarray:
    # In floating point: a dim gel has few grey levels, and their means tell bands from noise.
    image = Image.fromarray(grey).convert("F")
    small = image.resize((FULL, FULL), Image.Resampling.LANCZOS, reducing_gap=3)
    return np.asarray(small).astype(np.float16)


def _border(grey: np.ndarray) -> float:
    """Return the share of the image (0 to 1) in uniform rows and columns along its four sides."""
    spans = busy_spans(grey)
    return 1 - grey[spans].size / grey.size if spans else 1.0
