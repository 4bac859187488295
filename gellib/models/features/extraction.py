"""Compute features fast: threads decode the files while the backbone computes."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from gellib.base.calls import Call
from gellib.data.image_files import ImageLimits
from gellib.data.images import read_image
from gellib.models.backbones import Backbone, Preprocessing
from gellib.models.features.augmentation import image_key, random_views, unaugmented_view
from gellib.models.features.image_bars import ShowProgress, progress_bar

# Larger batches are not faster on a CPU: their activations no longer come from the allocator's
# free lists, and page faults take a third of the time.
CPU_BATCH = 16
GPU_BATCH = 256
EPOCHS_AT_ONCE = 32  # views that are made per decoding of an image
_AHEAD_BYTES = 64 << 20

log = logging.getLogger(__name__)

Argument = TypeVar("Argument")
Result = TypeVar("Result")


def default_batch_size(device: torch.device | str) -> int:
    """Choose the number of images per batch through the backbone."""
    return CPU_BATCH if torch.device(device).type == "cpu" else GPU_BATCH


def map_in_threads(
    function: Callable[[Argument], Result],
    arguments: Iterable[Argument],
    *,
    ahead: int,
    workers: int | None = None,
) -> Iterator[Result]:
    """Call a function in threads, and yield its results in the order of the arguments.

    Parameters
    ----------
    function
        Called once per argument.
    arguments
        Its arguments.
    ahead
        Greatest number of results that are kept before they are needed.
    workers
        Number of threads; None: as many as torch uses, at most 8.
    """
    workers = workers or max(1, min(torch.get_num_threads(), 8))
    with ThreadPoolExecutor(workers, thread_name_prefix="gellib-decode") as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for argument in arguments:
                waiting.append(pool.submit(function, argument))
                if len(waiting) > ahead + workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def unaugmented_views(
    paths: Sequence[str], preprocessing: Preprocessing, limits: ImageLimits
) -> Iterator[np.ndarray]:
    """Yield the unaugmented view of each file in order, (1, channels, H, W) uint8."""

    def read_view(path: str) -> np.ndarray:
        image = read_image(path, color=preprocessing.color, limits=limits)
        return unaugmented_view(image, preprocessing)[None]

    return map_in_threads(read_view, paths, ahead=_items_ahead(preprocessing, 1))


def augmented_views(
    paths: Sequence[str],
    digests: Sequence[str],
    preprocessing: Preprocessing,
    limits: ImageLimits,
    *,
    steps: list[Call],
    seed: int,
    epochs: range,
) -> Iterator[tuple[int, range, np.ndarray]]:
    """Yield the random views of each file, image by image.

    An image is decoded once per `EPOCHS_AT_ONCE` views.

    Parameters
    ----------
    paths
        The files.
    digests
        The sha256 of each file.
    preprocessing
        Colour, size, contrast and interpolation of the views.
    limits
        Size of files and images that are refused.
    steps
        The random steps, as `check_augmentation` returns them.
    seed
        Seed of the run.
    epochs
        Numbers of the epochs; each has its own view.

    Yields
    ------
    tuple[int, range, np.ndarray]
        Position of the file, epochs, and views (len(epochs), channels, H, W), uint8.
    """
    parts = [epochs[i : i + EPOCHS_AT_ONCE] for i in range(0, len(epochs), EPOCHS_AT_ONCE)]

    def make_views(argument: tuple[int, range]) -> tuple[int, range, np.ndarray]:
        i, part = argument
        image = read_image(paths[i], color=preprocessing.color, limits=limits)
        key = image_key(digests[i])
        views = random_views(image, preprocessing, steps, seed=seed, key=key, epochs=part)
        return i, part, views

    arguments = ((i, part) for i in range(len(paths)) for part in parts)
    ahead = _items_ahead(preprocessing, min(len(epochs), EPOCHS_AT_ONCE))
    return map_in_threads(make_views, arguments, ahead=ahead)


def _items_ahead(preprocessing: Preprocessing, views: int) -> int:
    channels = 3 if preprocessing.color == "rgb" else 1
    item_bytes = views * channels * preprocessing.image_size**2
    return min(64, _AHEAD_BYTES // item_bytes)


def extract_stream(
    views: Iterable[np.ndarray],
    backbone: Backbone,
    *,
    precision: str,
    device: torch.device | str,
    batch_size: int | None = None,
    total: int,
    progress: ShowProgress = False,
    title: str = "",
) -> Iterator[np.ndarray]:
    """Compute the features of a stream of views in batches of equal size.

    Batches that do not fit into the GPU's memory are halved, with a warning in the log.

    Parameters
    ----------
    views
        Blocks of views (n, channels, H, W), uint8.
    backbone
        The backbone.
    precision
        `fp32`, `bf16`, `fp16`, or `auto`.
    device
        Where to compute.
    batch_size
        Views per batch; None: `default_batch_size`.
    total
        Number of views, for the progress bar.
    progress
        Whether to show a progress bar, or one to advance, which may count more than these views;
        as for `progress_bar`.
    title
        Title of a new progress bar.

    Yields
    ------
    np.ndarray
        Features (batch, dim), float32, in the order of the views.

    Raises
    ------
    torch.OutOfMemoryError
        When a single image does not fit into the GPU's memory.
    BackboneError
        When features are not finite.
    """
    size = batch_size or default_batch_size(device)
    with progress_bar(progress, total, title) as bar:
        for batch in rebatch(views, size):
            waiting = torch.from_numpy(batch)
            while len(waiting):
                part = waiting[:size]
                try:
                    features = backbone.extract(part, precision=precision, device=device)
                except torch.OutOfMemoryError:
                    if len(part) == 1:
                        raise
                    features = None
                # The memory is free only here, where the error no longer refers to it.
                if features is None:
                    size = len(part) // 2
                    torch.cuda.empty_cache()
                    log.warning("out of GPU memory: continuing with batches of %d images", size)
                    continue
                yield features.numpy()
                waiting = waiting[len(part) :]
                bar.update(len(part))


def rebatch(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Split and join blocks along their first axis so that all but the last have `size` rows."""
    waiting: list[np.ndarray] = []
    count = 0
    for block in blocks:
        waiting.append(block)
        count += len(block)
        if count < size:
            continue
        joined = np.concatenate(waiting) if len(waiting) > 1 else block
        full = count - count % size
        for start in range(0, full, size):
            yield joined[start : start + size]
        waiting, count = ([joined[full:]], count - full) if full < count else ([], 0)
    if count:
        yield np.concatenate(waiting)
