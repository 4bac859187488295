"""What a network is shown: random views of simulated images, drawn again just the same."""

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

LESSON_VIEWS = 512
VIEWS_PER_IMAGE = 2
GEL_SHARE = 0.4
"""Share of gels among the images: they are a quarter of the classes, but half of the question."""

SCALE_MIN = 0.35
STRETCH_SHARE, INVERT_SHARE = 0.5, 0.15
_GAMMA = 1.6  # at most, and at least its inverse
# An image is simulated so much larger than its views that most crops are shrunk, not blown up.
_MARGIN = 1.4

Lesson = tuple[np.ndarray, np.ndarray]


def lesson(seed: int, number: int, size_px: int, scale_min: float = SCALE_MIN) -> Lesson:
    """Draw lesson `number` of a course: uint8 views (views, size_px, size_px) and their classes.

    Each image is simulated once and shown in two views, in batches apart by chance alone, because
    simulating takes longer than looking again. The lesson depends on the arguments alone.
    """
    rng = np.random.default_rng([seed, number, size_px])
    n = LESSON_VIEWS // VIEWS_PER_IMAGE
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
    """Draw one view of a square image: a part of it, perhaps mirrored, in another tone."""
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
    """Draw a table that gives each of 256 grey levels another: gamma, perhaps inverted."""
    gamma = _GAMMA ** rng.uniform(-1, 1)
    levels = (255 * (np.arange(256) / 255) ** gamma + 0.5).astype(np.uint8)
    return 255 - levels if rng.random() < INVERT_SHARE else levels


def course(seed: int, sizes_px: Iterable[int], workers: int) -> Iterator[Lesson]:
    """Yield lesson after lesson, the next drawn by `workers` processes meanwhile; 0: by this one.

    `sizes_px` has the size of the views of each lesson. How many processes draw changes nothing
    in what is drawn.
    """
    tasks = ((seed, number, size_px) for number, size_px in enumerate(sizes_px))
    if workers < 1:
        yield from (lesson(*task) for task in tasks)
        return
    # Not forked: torch has threads by now, which do not survive it.
    context = multiprocessing.get_context("spawn")
    with (
        _one_thread_each(),
        ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool,
    ):
        waiting: deque = deque()
        try:
            for task in tasks:
                waiting.append(pool.submit(lesson, *task))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _end_with_parent() -> None:
    """End this process when the one that started it is killed: it would wait for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let new processes compute with one thread: small matrices are slower with more."""
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
