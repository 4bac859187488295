"""Which copy of an image to keep: the larger one, and of two as large the sharper one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gellib.data.duplicates.image_summary import ImageSummary
from gellib.data.duplicates.part_windows import likeness

# Copies whose numbers of pixels differ by less than this share count as equally large.
_AS_LARGE = 0.1
# How much more alike to a panel than to the whole figure an image is that is one of its panels.
# Chosen by hand.
_PANEL_MARGIN = 0.2


def best_copy(summaries: Sequence[ImageSummary]) -> int:
    """Return the position of the copy to keep among the readable images of one group.

    A figure that shows another image of the group as one of its panels is not kept.
    """
    numbers = range(len(summaries))
    single = [i for i in numbers if not any(_shows(summaries[i], summaries[j]) for j in numbers)]
    chosen = single or list(numbers)
    pixels = {i: summaries[i].info.width * summaries[i].info.height for i in chosen}
    largest = max(pixels.values())
    large = [i for i in chosen if pixels[i] >= (1 - _AS_LARGE) * largest]
    return max(large, key=lambda i: (round(summaries[i].sharpness, 2), pixels[i], -i))


def _shows(figure: ImageSummary, image: ImageSummary) -> bool:
    if figure is image or not figure.panels or figure.content is None or image.content is None:
        return False
    parts = np.stack([figure.content, *(pixels for pixels, _ in figure.panels)])
    values = likeness(parts, image.content[None])[:, 0]
    return bool(values[1:].max() > values[0] + _PANEL_MARGIN)
