"""Cut a figure into its panels: along even strips between them, or along straight seams."""

from __future__ import annotations

import numpy as np
from PIL import Image

# Least side of a panel, as a share of that of the figure and in pixels, and how many are kept.
# Chosen by hand; `tests/benchmarks/duplicates.py kinds` measures what is missed.
_MIN_SHARE, _MIN_PIXELS, MOST_PANELS = 0.2, 32, 12
# Longest side, in pixels, at which cuts are looked for.
_SIDE = 320
# Grey levels that the pixels of a strip between panels span at most (JPEG noise).
_EVEN = 14
# A seam: how many grey levels two thirds of its pixels change by at least, and how many times as
# much as in a common row.
_SEAM_STEP, _SEAM_TIMES = 5, 4
_DEPTH = 2
# Grey level of white paper, and the largest share of a side that letters beside a panel take up.
_WHITE, _MOST_LETTERS = 225, 0.18
_LARGEST = 0.9

Box = tuple[int, int, int, int]


def find_panels(grey: np.ndarray) -> list[Box]:
    """Return top, bottom, left and right of the panels of a grey image; none if it is one image.

    Panels are cut into panels again, so that some of them lie in others. The cells of the first
    grid come first, then its rows and columns, the larger ones before the smaller.
    """
    factor = max(1, -(-max(grey.shape) // _SIDE))
    small = np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey
    found: dict[Box, int] = {}
    _cut(small, (0, small.shape[0], 0, small.shape[1]), 1, found)
    boxes = [box for box in found if _area(box) <= _LARGEST * small.size]
    height, width = grey.shape
    result = []
    for top, end, left, right in sorted(boxes, key=lambda box: (found[box], -_area(box))):
        box = top * factor, min(end * factor, height), left * factor, min(right * factor, width)
        box = _without_letters(grey, box)
        if min(box[1] - box[0], box[3] - box[2]) >= _MIN_PIXELS:
            result.append(box)
    return result[:MOST_PANELS]


def _area(box: Box) -> int:
    return (box[1] - box[0]) * (box[3] - box[2])


def _cut(figure: np.ndarray, box: Box, depth: int, found: dict[Box, int]) -> None:
    """Cut one box into the cells of a grid, and each of these again."""
    top, bottom, left, right = box
    part = figure[top:bottom, left:right]
    spans = []
    for axis, lines in enumerate((part, part.T)):
        cuts = _even_strips(lines) or _seams(lines)
        between = _between(cuts, len(lines), _MIN_SHARE * figure.shape[axis])
        spans.append(between or [(0, len(lines))])
    rows, columns = spans
    cells = [(top + a, top + b, left + c, left + d) for a, b in rows for c, d in columns]
    if cells == [box]:
        return
    for cell in cells:
        found.setdefault(cell, 2 * depth)
        if depth < _DEPTH:
            _cut(figure, cell, depth + 1, found)
    strips = [(top + a, top + b, left, right) for a, b in rows]
    strips += [(top, bottom, left + c, left + d) for c, d in columns]
    for strip in strips:
        found.setdefault(strip, 2 * depth + 1)


def _without_letters(grey: np.ndarray, box: Box) -> Box:
    """Cut white strips with a letter or a caption off the sides of a panel."""
    part = grey[box[0] : box[1], box[2] : box[3]]
    spans = []
    for axis in (1, 0):
        # As bytes, which add up several times as fast as truth values do.
        white = (part >= _WHITE).view(np.uint8).sum(axis=axis, dtype=np.uint32) / part.shape[axis]
        n = len(white)
        most = round(_MOST_LETTERS * n)
        ends = [0, n]
        for side, profile in enumerate((white[:most], white[::-1][:most])):
            busy = np.flatnonzero(profile < 0.5)
            if len(busy) and busy[0] and profile[: busy[0]].min() >= 0.75:
                ends[side] = n - int(busy[0]) if side else int(busy[0])
        spans.append(ends)
    (top, end), (left, right) = spans
    return box[0] + top, box[0] + end, box[2] + left, box[2] + right


def _between(cuts: list[tuple[int, int]], length: int, least: float) -> list[tuple[int, int]]:
    """Return what lies between cuts and is long enough; nothing if there is no cut."""
    if not cuts:
        return []
    edges = [0, *(place for cut in cuts for place in cut), length]
    spans = zip(edges[::2], edges[1::2], strict=True)
    return [(a, b) for a, b in spans if b - a >= max(8, least)]


def _even_strips(lines: np.ndarray) -> list[tuple[int, int]]:
    """Return where rows are even, those as bright as the widest of these strips."""
    even = lines.max(axis=1).astype(int) - lines.min(axis=1) <= _EVEN
    edges = np.flatnonzero(np.diff(np.pad(even.astype(np.int8), 1))).reshape(-1, 2)
    least = max(2, round(0.006 * len(lines)))
    strips = [(int(a), int(b)) for a, b in edges if b - a >= least]
    if not strips:
        return []
    levels = [float(np.median(lines[a:b])) for a, b in strips]
    widths = [b - a for a, b in strips]
    common = levels[widths.index(max(widths))]
    return [cut for cut, level in zip(strips, levels, strict=True) if abs(level - common) <= _EVEN]


def _seams(lines: np.ndarray) -> list[tuple[int, int]]:
    """Return up to three places where most of a row differs from the row before."""
    if len(lines) < 16:
        return []
    values = lines.astype(np.int16)
    change = np.abs(values[3:] - values[:-3])
    third = change.shape[1] // 3
    step = np.partition(change, third, axis=1)[:, third]
    least = max(_SEAM_STEP, _SEAM_TIMES * float(np.median(step)) + 2)
    places: list[int] = []
    for row in np.argsort(-step, kind="stable")[:20].tolist():
        if step[row] < least or len(places) == 3:
            break
        if all(abs(row + 2 - other) > 0.1 * len(lines) for other in places):
            places.append(row + 2)
    return [(place, place) for place in sorted(places)]
