"""Decode all images of a set before they are used, and describe them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

from gellib.base.cached_json import cached_json
from gellib.data.image_files import BadImageError, ImageInfo, ImageLimits
from gellib.data.images import inspect_image
from gellib.data.imageset import ImageSet
from gellib.data.reading_libraries import reading_versions

# Raised whenever other images can be read than before.
_VERSION = 5


def inspect_images(
    imageset: ImageSet,
    limits: ImageLimits | None = None,
    *,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[ImageInfo]:
    """Decode every image, in threads; return one `ImageInfo` per row of the table, in its order.

    `progress` wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.
    """
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        infos = pool.map(lambda path: inspect_image(path, limits), imageset.table["path"])
        if progress is None:
            return list(infos)
        return list(progress(infos, total=len(imageset), desc="reading", unit=" images"))


def find_unreadable(
    imageset: ImageSet,
    limits: ImageLimits | None = None,
    *,
    cache_dir: Path | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[BadImageError]:
    """Find the images that cannot be read; the `path` of each error is as in the table.

    Parameters
    ----------
    imageset
        The images.
    limits
        Largest file and image that are read.
    cache_dir
        Folder in which is kept what is known of files already; None: nothing is kept.
    progress
        Wraps the iteration over images, as `tqdm` does.
    """
    infos = examine_images(imageset, limits, cache_dir=cache_dir, progress=progress)
    return [BadImageError(info.path, info.reason) for info in infos if info.reason]


def examine_images(
    imageset: ImageSet,
    limits: ImageLimits | None = None,
    *,
    cache_dir: Path | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[ImageInfo]:
    """Describe the images of which something is to be said, with reason, note and pages alone.

    These are images that cannot be read, that have several pages, or of which something else
    should be known.

    Parameters
    ----------
    imageset
        n images.
    limits
        Largest file and image that are read.
    cache_dir
        Folder where the result is kept under the digests of the files, so that a set is decoded
        once and not by each of its runs. None: it is not kept.
    progress
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.
    """

    def compute() -> list[tuple[int, str, str, int]]:
        infos = inspect_images(imageset, limits, progress=progress)
        return [
            (row, info.reason, info.note, info.frames)
            for row, info in enumerate(infos)
            if info.reason or info.note or info.frames > 1
        ]

    digests = list(imageset.table["digest"])
    if cache_dir is None or "" in digests:
        found = compute()
    else:
        facts = [_VERSION, reading_versions(), vars(limits or ImageLimits()), digests]
        found = cached_json(cache_dir, "checked", facts, compute)
    paths = list(imageset.table["path"])
    return [
        ImageInfo(paths[row], reason=reason, note=note, frames=frames)
        for row, reason, note, frames in found
    ]


def unreadable_sentence(bad: Sequence[BadImageError], count: int) -> str:
    """Say which of so many images cannot be read, why, and what to do."""
    names = "\n".join(f"  {one}" for one in bad)
    return (
        f"{len(bad)} of {count} images cannot be read:\n{names}\n"
        "Repair or remove them, or set skip_bad_images to go on without them "
        "(-p skip_bad_images true)."
    )


def describe(infos: Iterable[ImageInfo]) -> pd.DataFrame:
    """Summarise readable images by file type, mode and bit depth, the most frequent first.

    Widths and heights are in pixels, `MB` is the total size of the files in megabytes.
    """
    table = pd.DataFrame([vars(info) for info in infos if not info.reason])
    if table.empty:
        return pd.DataFrame(columns=["images", "width", "height", "more than one page", "MB"])
    groups = table.groupby(["file_type", "mode", "bit_depth"])
    result = pd.DataFrame(
        {
            "images": groups.size(),
            "width": groups["width"].agg(_span),
            "height": groups["height"].agg(_span),
            "more than one page": groups["frames"].agg(lambda frames: int((frames > 1).sum())),
            "MB": (groups["bytes"].sum() / 1e6).round(2),
        }
    )
    return result.sort_values("images", ascending=False, kind="stable").reset_index()


def unreadable(infos: Iterable[ImageInfo], root: str | Path = "") -> pd.DataFrame:
    """List the files that cannot be read and why, relative to `root` if it is given."""
    rows = [
        {"file": _relative(info.path, root), "reason": info.reason} for info in infos if info.reason
    ]
    return pd.DataFrame(rows, columns=["file", "reason"])


def _span(values: pd.Series) -> str:
    low, high = values.min(), values.max()
    return f"{low}" if low == high else f"{low} - {high}"


def _relative(path: str, root: str | Path) -> str:
    return Path(os.path.relpath(path, root)).as_posix() if root else path
