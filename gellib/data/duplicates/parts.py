"""Find images that are a part of another one: cropped by a third, turned a little, or a panel.

Candidates come from windows of 16 pixels, all compared with all; an alignment decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from gellib.data.duplicates.part_alignment import align_parts, halve
from gellib.data.duplicates.part_windows import (
    PANEL_CUTS,
    PANEL_WINDOWS,
    WHOLE,
    WINDOWS,
    cosine_waves,
    resample,
    window_waves,
)
from gellib.data.duplicates.threads import TILE, batches, in_threads, tiles
from gellib.data.duplicates.warp import window_maps

# Sets of more images are not searched for parts: the time grows with the square of their number.
LARGEST_SET = 12_000
# Agreement from which a part counts as a copy, and the same where it is squeezed by more than this
# (difference of logarithms). `tests/benchmarks/duplicates.py kinds` and `lab` measure them.
AGREE_PART = 0.74
_SQUEEZED, _AGREE_SQUEEZED = 0.12, 0.94
# Coarse correlation from which a pair is aligned, and how many such pairs of an image at most.
# Chosen by hand on the same pairs.
_COARSE, _NEIGHBOURS = 0.55, 6
_PANEL_COARSE, _PANEL_NEIGHBOURS = 0.45, 3
_BLOCK = 64
# Pairs that are aligned at most, those first that are most alike: 4 ms each.
_MOST_PAIRS = 40_000


def part_pairs(
    thumbnails: np.ndarray,
    fine: Sequence[np.ndarray],
    aspects: np.ndarray,
    panels: Sequence[tuple[int, np.ndarray, float]] = (),
    *,
    known: Iterable[tuple[int, int]] = (),
    candidates: tuple[np.ndarray, ...] | None = None,
    progress: Callable[..., Iterable[Any]] | None = None,
) -> list[tuple[int, int, float]]:
    """Find images that show a part of another one.

    Parameters
    ----------
    thumbnails
        (n, 64, 64) grey levels 0 to 255, resized to a square.
    fine
        n of (128, 128), the same.
    aspects
        (n,) width divided by height before the resizing.
    panels
        For each panel: position of the figure, grey levels (64, 64), width divided by height.
    known
        Pairs (i, j) that are not compared again.
    candidates
        Further pairs to align: first, second, windows (n, 5), symmetry, negative.
    progress
        Wraps an iterable and takes its `total`, `desc` and `unit`, as `tqdm` does.

    Returns
    -------
    list of (i, j, distance)
        Positions i < j, sorted; distance 0 is the same image, 1 has nothing in common.
    """
    n = len(thumbnails)
    if not 2 <= n <= LARGEST_SET:
        return []
    thumbnails = np.asarray(thumbnails, np.float32)
    aspects = np.asarray(aspects, np.float32)
    skip = np.array([i * n + j for pair in known for i, j in [sorted(pair)]], np.int64)
    whole = cosine_waves(resample(thumbnails, WHOLE, WHOLE))
    found = [_window_candidates(thumbnails, whole, aspects, progress)]
    if candidates is not None:
        found.append(candidates)
    first, second, windows, symmetry, negative = map(np.concatenate, zip(*found, strict=True))
    pair = np.minimum(first, second) * n + np.maximum(first, second)
    use = ~np.isin(pair, skip)
    first, second, windows = first[use], second[use], windows[use]
    symmetry, negative = symmetry[use], negative[use]
    own = np.where(symmetry >= 4, 1 / aspects[first], aspects[first])
    result = _align(thumbnails, fine, first, second, windows, own, aspects, symmetry, negative)
    if panels:
        owners = np.array([owner for owner, _, _ in panels])
        small = np.stack([pixels for _, pixels, _ in panels])
        ratios = np.array([aspect for _, _, aspect in panels], np.float32)
        number, image, windows = _panel_candidates(small, owners, whole)
        low, high = np.minimum(owners[number], image), np.maximum(owners[number], image)
        use = ~np.isin(low * n + high, skip)
        number, image, windows = number[use], image[use], windows[use]
        none = np.zeros(len(number), int)
        plain = none.astype(bool)
        pairs = _align(small, fine, number, image, windows, ratios[number], aspects, none, plain)
        result += [(int(owners[i]), j, value) for i, j, value in pairs]
    best: dict[tuple[int, int], float] = {}
    for i, j, value in result:
        key = (min(i, j), max(i, j))
        best[key] = max(value, best.get(key, 0.0))
    return [(i, j, round(max(0.0, 1 - value), 3)) for (i, j), value in sorted(best.items())]


def _align(
    small: np.ndarray,
    fine: Sequence[np.ndarray],
    first: np.ndarray,
    second: np.ndarray,
    windows: np.ndarray,
    own: np.ndarray,
    aspects: np.ndarray,
    symmetry: np.ndarray,
    negative: np.ndarray,
) -> list[tuple[int, int, float]]:
    """Align pairs; return those that agree. `own` holds the aspect ratios of the first images.

    The other parameters are those of `part_pairs` and of `align_parts`.
    """
    theirs = aspects[second]
    maps = window_maps(windows[:, :4], windows[:, 4], theirs)
    values, maps = align_parts(small, fine, first, second, maps, own, symmetry, negative)
    wide = np.hypot(maps[:, 1] * theirs, maps[:, 4]) / own
    high = np.hypot(maps[:, 2] * theirs, maps[:, 5])
    squeezed = np.abs(np.log(np.maximum(wide, 1e-6) / np.maximum(high, 1e-6))) > _SQUEEZED
    enough = np.where(squeezed, _AGREE_SQUEEZED, AGREE_PART)
    return [(int(first[k]), int(second[k]), float(values[k]))
            for k in np.flatnonzero(values >= enough)]  # fmt: skip


def _window_candidates(
    thumbnails: np.ndarray,
    whole: np.ndarray,
    aspects: np.ndarray,
    progress: Callable[..., Iterable[Any]] | None,
) -> tuple[np.ndarray, ...]:
    """Return pairs: first, second, the window of the second, and no symmetry and no negative."""
    n, flat = len(thumbnails), np.ascontiguousarray(whole.T)

    def block(rows: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = window_waves(halve(thumbnails[rows]), aspects[rows])
        best = _best_products(parts, flat)
        best[np.arange(len(rows)), rows] = -1
        row, column = _nearest(best, _NEIGHBOURS, _COARSE)
        window = np.einsum("wpk,pk->wp", parts[:, row], whole[column]).argmax(axis=0)
        return column, rows[row], WINDOWS[window], best[row, column]

    blocks = batches(np.arange(n), _BLOCK)
    results: Iterable[Any] = in_threads(block, blocks)
    if progress:
        results = progress(results, total=len(blocks), desc="comparing parts", unit=" blocks")
    found = list(results)
    first, second, windows, likeness = map(np.concatenate, zip(*found, strict=True))
    most = np.sort(np.argsort(-likeness, kind="stable")[:_MOST_PAIRS])
    first, second, windows = first[most], second[most], windows[most]
    none = np.zeros(len(first), int)
    return first, second, windows, none, none.astype(bool)


def _panel_candidates(
    panels: np.ndarray, owners: np.ndarray, whole: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return pairs of a panel and an image that it may show, and where the panel lies in that."""
    flat = np.ascontiguousarray(whole.T)

    def block(rows: np.ndarray) -> tuple[np.ndarray, ...]:
        values = panels[rows].astype(np.float32)
        parts = np.stack([cosine_waves(resample(values, *cut)) for cut in PANEL_CUTS])
        best = _best_products(parts, flat)
        best[np.arange(len(rows)), owners[rows]] = -1
        row, column = _nearest(best, _PANEL_NEIGHBOURS, _PANEL_COARSE)
        cut = np.einsum("wpk,pk->wp", parts[:, row], whole[column]).argmax(axis=0)
        return rows[row], column, PANEL_WINDOWS[cut], best[row, column]

    found = in_threads(block, batches(np.arange(len(panels)), _BLOCK))
    number, image, windows, likeness = map(np.concatenate, zip(*found, strict=True))
    most = np.sort(np.argsort(-likeness, kind="stable")[:_MOST_PAIRS])
    return number[most], image[most], windows[most]


def _best_products(parts: np.ndarray, flat: np.ndarray) -> np.ndarray:
    """Return the largest dot product of the parts (w, m, waves) with the columns: (m, n)."""
    best = np.full((parts.shape[1], flat.shape[1]), -1, np.float32)
    space = np.empty((parts.shape[1], TILE), np.float32)
    for columns in tiles(flat.shape[1]):
        tile = best[:, columns]
        product = space[:, : tile.shape[1]]
        for part in parts:
            np.maximum(tile, np.matmul(part, flat[:, columns], out=product), out=tile)
    return best


def _nearest(best: np.ndarray, most: int, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of the `most` highest values of each row that are high enough."""
    most = min(most, best.shape[1] - 1)
    near = np.argpartition(-best, most - 1, axis=1)[:, :most]
    row, place = np.nonzero(np.take_along_axis(best, near, axis=1) >= least)
    return row, near[row, place]
