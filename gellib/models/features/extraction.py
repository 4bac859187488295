"""Images through a network, fast: files are decoded in threads while the network computes."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from tqdm.auto import tqdm

from gellib.data.image_files import ImageLimits
from gellib.data.images import read_image
from gellib.models.backbones import Backbone, Preprocessing
from gellib.models.features.augmentation import image_key, random_views, unaugmented_view

# Larger batches are no faster on a CPU: their activations no longer come from the allocator's
# free lists, and page faults take a third of the time.
CPU_BATCH = 16
GPU_BATCH = 256
EPOCHS_AT_ONCE = 32  # views that are made of an image while it is decoded
_AHEAD_BYTES = 64 << 20

log = logging.getLogger(__name__)

Task = TypeVar("Task")
Item = TypeVar("Item")


def default_batch_size(device: torch.device | str) -> int:
    """Choose how many images to send through the network at once."""
    return CPU_BATCH if torch.device(device).type == "cpu" else GPU_BATCH


def map_in_threads(
    work: Callable[[Task], Item], tasks: Iterable[Task], *, ahead: int, workers: int | None = None
) -> Iterator[Item]:
    """Do `work` on each task in threads, yield the results in order, at most `ahead` waiting."""
    workers = workers or max(1, min(torch.get_num_threads(), 8))
    with ThreadPoolExecutor(workers, thread_name_prefix="gellib-decode") as pool:
        waiting: deque[Future[Item]] = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
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
    """Yield the plain view of each file in turn, (1, channels, H, W) uint8."""

    def work(path: str) -> np.ndarray:
        image = read_image(path, color=preprocessing.color, limits=limits)
        return unaugmented_view(image, preprocessing)[None]

    return map_in_threads(work, paths, ahead=_ahead(preprocessing, 1))


def augmented_views(
    paths: Sequence[str],
    digests: Sequence[str],
    preprocessing: Preprocessing,
    limits: ImageLimits,
    *,
    steps: list[tuple[str, dict[str, float]]],
    seed: int,
    epochs: range,
) -> Iterator[tuple[int, range, np.ndarray]]:
    """Yield (position, epochs, views (len(epochs), channels, H, W) uint8), an image after another.

    Every image is decoded once for `EPOCHS_AT_ONCE` views.
    """
    parts = [epochs[i : i + EPOCHS_AT_ONCE] for i in range(0, len(epochs), EPOCHS_AT_ONCE)]

    def work(task: tuple[int, range]) -> tuple[int, range, np.ndarray]:
        i, part = task
        image = read_image(paths[i], color=preprocessing.color, limits=limits)
        key = image_key(digests[i])
        views = random_views(image, preprocessing, steps, seed=seed, key=key, epochs=part)
        return i, part, views

    tasks = ((i, part) for i in range(len(paths)) for part in parts)
    return map_in_threads(
        work, tasks, ahead=_ahead(preprocessing, min(len(epochs), EPOCHS_AT_ONCE))
    )


def _ahead(preprocessing: Preprocessing, views: int) -> int:
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
    progress: bool | tqdm = False,
    what: str = "",
) -> Iterator[np.ndarray]:
    """Send blocks of views (n, channels, H, W) uint8 through the network in even batches.

    Yields features (batch, dim) float32 in the order of the views. `total` views are expected;
    `progress` may be a bar of more than these, which is moved on. Batches that do not fit in the
    GPU's memory are halved, with a warning in the log.
    """
    size = batch_size or default_batch_size(device)
    with progress_bar(progress, total, what) as bar:
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
                # Only here, where the error is gone, is what it held on to free.
                if features is None:
                    size = len(part) // 2
                    torch.cuda.empty_cache()
                    log.warning("out of GPU memory: going on with %d images at once", size)
                    continue
                yield features.numpy()
                waiting = waiting[len(part) :]
                bar.update(len(part))


@contextmanager
def progress_bar(progress: bool | tqdm, total: int, what: str) -> Iterator[tqdm]:
    """Open a bar of images, with images a second and the time left, or go on with a given one."""
    if not isinstance(progress, bool):
        yield progress
        return
    with tqdm(total=total, unit="img", desc=what, disable=not progress, leave=False) as bar:
        yield bar


def rebatch(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Cut and join blocks along their first axis so that all but the last have `size` rows."""
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
