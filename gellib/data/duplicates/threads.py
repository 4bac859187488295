"""Do a long comparison in blocks, on all processors: numpy works outside of Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

# Columns that are worked on together.
TILE = 512
Block = TypeVar("Block")
Result = TypeVar("Result")


def in_threads(function: Callable[[Block], Result], blocks: Sequence[Block]) -> Iterator[Result]:
    """Yield the results of a function for each block, in their order."""
    workers = min(8, os.cpu_count() or 1, len(blocks))
    if workers < 2:
        yield from map(function, blocks)
        return
    # Each block has a processor of its own, so the matrix products within it need no further ones.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        yield from pool.map(function, blocks)


def batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut an array into pieces of `size` rows, the last one shorter."""
    return [rows[at : at + size] for at in range(0, len(rows), size)]


def tiles(n: int) -> list[slice]:
    """Cut n columns into pieces, so that a block of rows and columns fits into the fast memory."""
    return [slice(at, at + TILE) for at in range(0, n, TILE)]
