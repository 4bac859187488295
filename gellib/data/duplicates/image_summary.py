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
from gellib.data.duplicates.figure_panels import find_panels
from gellib.data.duplicates.image_traits import ImageTraits, measure_traits
from gellib.data.duplicates.part_alignment import FINE
from gellib.data.duplicates.variants import busy_spans, without_margins
from gellib.data.image_files import ImageInfo, ImageLimits
from gellib.data.images import examine_image

# Pixels a side of the part in which sharpness is measured, at most.
_PART = 400


@dataclass(frozen=True)
class ImageSummary:
    """What one file contains; every field except `info` is empty for a file that cannot be read.

    `thumbnail` is the grey image resized to (64, 64) float16, aspect ratio ignored; `content` the
    same of the image without even margins, `aspect` its width divided by height, and `fine` the
    same in (128, 128); `panels` holds the content and the aspect of each panel of a figure;
    `pixel_digest` a digest of all its grey pixels; `brightness` their mean (0 to 255); `tint` the
    mean range of red, green and blue (0 to 255); `border` the share of the image (0 to 1) that
    uniform strips along its sides take up; `sharpness` the detail of one pixel divided by that of
    two; `traits` what its making leaves in it, if that was asked for.
    """

    info: ImageInfo
    thumbnail: np.ndarray | None = None
    pixel_digest: str = ""
    brightness: float = 0.0
    tint: float = 0.0
    border: float = 0.0
    sharpness: float = 0.0
    content: np.ndarray | None = None
    aspect: float = 1.0
    traits: ImageTraits | None = None
    fine: np.ndarray | None = None
    panels: tuple[tuple[np.ndarray, float], ...] = ()


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
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.
    """
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        summaries = pool.map(lambda path: _summarise(path, limits, traits), paths)
        if progress is None:
            return list(summaries)
        return list(progress(summaries, total=len(paths), desc="reading", unit=" images"))


def _summarise(path: str, limits: ImageLimits | None, traits: bool = False) -> ImageSummary:
    info, pixels = examine_image(path, limits, color="rgb")
    if pixels is None:
        return ImageSummary(info)
    return summarise_pixels(info, pixels, traits)


def summarise_pixels(info: ImageInfo, pixels: np.ndarray, traits: bool = False) -> ImageSummary:
    """Summarise decoded pixels, (height, width, 3) or (height, width), uint8; traits on request."""
    image = Image.fromarray(pixels).convert("RGB")
    grey = image.convert("L")
    plain = np.asarray(grey)
    inner = without_margins(plain)
    large = _as_float(inner)
    content = _thumbnail(large)
    small = content if inner is plain else _thumbnail(_as_float(plain))
    digest = hashlib.blake2b(repr(plain.shape).encode() + plain.tobytes(), digest_size=20)
    colours = np.asarray(image.resize((32, 32), Image.Resampling.BOX), np.float32)
    return ImageSummary(
        info,
        thumbnail=small,
        pixel_digest=digest.hexdigest(),
        brightness=float(plain.mean()),
        tint=float(np.ptp(colours, axis=2).mean()),
        border=_border(plain),
        sharpness=_sharpness(plain),
        content=content,
        aspect=inner.shape[1] / inner.shape[0],
        traits=measure_traits(plain) if traits else None,
        fine=_thumbnail(large, FINE),
        panels=_panels(inner),
    )


def _panels(grey: np.ndarray) -> tuple[tuple[np.ndarray, float], ...]:
    boxes = find_panels(grey)
    parts = [without_margins(grey[top:end, left:right]) for top, end, left, right in boxes]
    return tuple((_thumbnail(_as_float(part)), part.shape[1] / part.shape[0]) for part in parts)


def _as_float(grey: np.ndarray) -> Image.Image:
    # In floating point: a dim gel has few grey levels, and their means tell bands from noise.
    return Image.fromarray(grey).convert("F")


def _thumbnail(image: Image.Image, side: int = FULL) -> np.ndarray:
    small = image.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=3)
    return np.asarray(small).astype(np.float16)


def _border(grey: np.ndarray) -> float:
    """Return the share of the image (0 to 1) in uniform rows and columns along its four sides."""
    spans = busy_spans(grey)
    return 1 - grey[spans].size / grey.size if spans else 1.0


def _sharpness(grey: np.ndarray) -> float:
    """Return the curvature over one pixel divided by that over two, in the middle of an image."""
    if min(grey.shape) < 16:
        return 0.0
    height, width = (side // 2 * 2 for side in grey.shape)
    top, left = (max(0, (side - _PART) // 2) for side in (height, width))
    middle = grey[:height, :width][top : top + _PART, left : left + _PART].astype(np.float32)
    rows, columns = (side // 2 for side in middle.shape)
    whole = middle[: 2 * rows, : 2 * columns]
    lines = whole[::2] + whole[1::2]
    halves = (lines[:, ::2] + lines[:, 1::2]) / 4
    return _curvature(middle) / max(_curvature(halves), 1e-6)


def _curvature(grey: np.ndarray) -> float:
    across = grey[1:-1, :-2] + grey[1:-1, 2:]
    return float(np.std(4 * grey[1:-1, 1:-1] - across - grey[:-2, 1:-1] - grey[2:, 1:-1]))
