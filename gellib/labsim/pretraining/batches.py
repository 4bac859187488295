"""Pretraining batches: reproducible random views of simulated images."""

from __future__ import annotations

import math
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import numpy as np
from PIL import Image

from gellib.labsim.simulate import CLASSES, WEIGHTS, simulate
from gellib.models.backbones import stretch_contrast

# Views drawn together; training splits them into optimiser batches of `Recipe.batch` views.
BATCH_VIEWS = 512
VIEWS_PER_IMAGE = 2
GEL_SHARE = 0.4
"""Share of gels among the images: they are a quarter of the classes, but one of two answers."""

SCALE_MIN = 0.35
STRETCH_SHARE, INVERT_SHARE = 0.5, 0.15
_GAMMA = 1.6  # the largest gamma; its inverse is the smallest
# Side of an image by that of its views: large enough that most crops are reduced, not enlarged.
_MARGIN = 1.4

PretrainingBatch = tuple[np.ndarray, np.ndarray]


def pretraining_batch(
    seed: int, number: int, size_px: int, scale_min: float = SCALE_MIN
) -> PretrainingBatch:
    """Draw batch `number` of a pretraining run.

    Each image is simulated once and used for two views, because simulating takes longer than
    drawing a view; the order of the views is random. The batch depends only on the arguments.

    Parameters
    ----------
    seed
        Seed of the pretraining run.
    number
        Number of the batch in the run, from 0.
    size_px
        Side of the views in px.
    scale_min
        Smallest share of the area of an image that a view shows.

    Returns
    -------
    views
        uint8 (`BATCH_VIEWS`, size_px, size_px).
    labels
        Class number of each view, (`BATCH_VIEWS`,).
    """
    rng = np.random.default_rng([seed, number, size_px])
    n = BATCH_VIEWS // VIEWS_PER_IMAGE
    views = np.empty((n * VIEWS_PER_IMAGE, size_px, size_px), dtype=np.uint8)
    labels = np.repeat(_draw_classes(rng, n), VIEWS_PER_IMAGE)
    places = rng.permutation(len(views))
    names = list(CLASSES)
    for i in range(n):
        name = names[labels[i * VIEWS_PER_IMAGE]]
        image = simulate(name, seed, number * n + i, round(size_px * _MARGIN))
        for j in range(VIEWS_PER_IMAGE):
            views[places[i * VIEWS_PER_IMAGE + j]] = random_view(image, rng, size_px, scale_min)
    shuffled = np.empty_like(labels)
    shuffled[places] = labels
    return views, shuffled


def _draw_classes(rng: np.random.Generator, n: int) -> np.ndarray:
    gel = np.array(list(CLASSES.values()))
    share = np.array([WEIGHTS[name] for name in CLASSES])
    share = np.where(
        gel, share / share[gel].sum() * GEL_SHARE, share / share[~gel].sum() * (1 - GEL_SHARE)
    )
    return rng.choice(len(share), size=n, p=share / share.sum())


def random_view(
    image: np.ndarray, rng: np.random.Generator, size_px: int, scale_min: float
) -> np.ndarray:
    """Draw one view of a square image: a random crop, perhaps mirrored, with other grey levels.

    Parameters
    ----------
    image
        uint8 (side, side).
    rng
        Random generator of the view.
    size_px
        Side of the view in px.
    scale_min
        Smallest share of the area of the image that the view shows.
    """
    side = len(image)
    area = side * side * rng.uniform(scale_min, 1)
    ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
    width, height = min(side, math.sqrt(area * ratio)), min(side, math.sqrt(area / ratio))
    left, top = rng.uniform(0, side - width), rng.uniform(0, side - height)
    box = (left, top, left + width, top + height)
    size = (size_px, size_px)
    view = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box=box))
    if rng.random() < 0.5:
        view = view[:, ::-1]
    return _tone(rng)[view] if rng.random() >= STRETCH_SHARE else _tone(rng)[stretch_contrast(view)]


def _tone(rng: np.random.Generator) -> np.ndarray:
    """Draw a lookup table of 256 grey levels: gamma, perhaps inverted."""
    gamma = _GAMMA ** rng.uniform(-1, 1)
    levels = (255 * (np.arange(256) / 255) ** gamma + 0.5).astype(np.uint8)
    return 255 - levels if rng.random() < INVERT_SHARE else levels


def pretraining_batches(
    seed: int, sizes_px: Iterable[int], workers: int
) -> Iterator[PretrainingBatch]:
    """Yield the batches of a pretraining run; `workers` processes draw the next ones meanwhile.

    With 0 workers this process draws them. `sizes_px` holds the side in px of the views of each
    batch. The number of workers does not change the batches.
    """
    tasks = ((seed, number, size_px) for number, size_px in enumerate(sizes_px))
    if workers < 1:
        yield from (pretraining_batch(*task) for task in tasks)
        return
    # Spawned, not forked: the threads of torch do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool,
    ):
        waiting: deque = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(pretraining_batch, *task))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _end_with_parent() -> None:
    """End this process when the one that started it is killed; it would wait forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=[parent.sentinel], daemon=True).start()


def _exit_after(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Give new processes one thread each: small matrices are slower with more."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
