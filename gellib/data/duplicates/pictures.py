"""One look at every file: what it is, a small grey picture, and a few numbers about its colours."""

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
from gellib.data.images import ImageInfo, ImageLimits, examine_image


@dataclass(frozen=True)
class Look:
    """What one file shows; everything but `info` is empty for a file that cannot be read.

    `small` is the grey picture squeezed to (64, 64) float16, `pixels` a digest of all its grey
    pixels, `brightness` their mean, `tint` how far red, green and blue lie apart on average and
    `border` the share of the picture that even strips along its sides take up.
    """

    info: ImageInfo
    small: np.ndarray | None = None
    pixels: str = ""
    brightness: float = 0.0
    tint: float = 0.0
    border: float = 0.0


def look_at(
    paths: Sequence[str],
    limits: ImageLimits | None = None,
    *,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[Look]:
    """Decode each file once, in threads.

    `progress` wraps an iterable and takes its `total`, as `tqdm` does.
    """
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        looks = pool.map(lambda path: _look(path, limits), paths)
        return list(progress(looks, total=len(paths)) if progress else looks)


def _look(path: str, limits: ImageLimits | None) -> Look:
    info, pixels = examine_image(path, limits, color="rgb")
    if pixels is None:
        return Look(info)
    picture = Image.fromarray(pixels)
    grey = picture.convert("L")
    # In floating point: a dim gel has few grey levels, and their means tell bands from noise.
    small = grey.convert("F").resize((FULL, FULL), Image.Resampling.LANCZOS, reducing_gap=3)
    plain = np.asarray(grey)
    digest = hashlib.blake2b(repr(plain.shape).encode() + plain.tobytes(), digest_size=20)
    colours = np.asarray(picture.resize((32, 32), Image.Resampling.BOX), np.float32)
    return Look(
        info,
        small=np.asarray(small).astype(np.float16),
        pixels=digest.hexdigest(),
        brightness=float(plain.mean()),
        tint=float(np.ptp(colours, axis=2).mean()),
        border=_border(plain),
    )


def _border(grey: np.ndarray) -> float:
    """Share of the picture in even rows and columns at its four sides."""
    kept = 1.0
    for axis in (0, 1):
        low, high = grey.min(axis=1 - axis).astype(int), grey.max(axis=1 - axis).astype(int)
        busy = np.flatnonzero(high - low > 12)
        if not len(busy):
            return 1.0
        kept *= (busy[-1] - busy[0] + 1) / grey.shape[axis]
    return 1 - float(kept)
