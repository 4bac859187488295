"""What the learning curve says about labelling more images, in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gellib.evaluation.extrapolation import Extrapolation
from gellib.plots.base import percent

if TYPE_CHECKING:
    from gellib.training_run.more_images import MoreImages


def more_images_sentence(found: MoreImages, score: str = "accuracy") -> str:
    """Say what twice as many images are expected to give, and whether they are worth it.

    Parameters
    ----------
    found
        The learning curve of the chosen run's backbone.
    score
        What the score is called.
    """
    expected = found.expected()
    now = _at(expected, found.n)
    twice = len(expected.sizes) - 1
    low, high = percent(expected.low[twice], 0), percent(expected.high[twice], 0)
    text = (
        f"with twice as many images, {score} is expected between {low} and {high} (90 % band; the "
        f"curve is at {percent(now, 0)} now)"
    )
    if expected.flat:
        return f"{text}. The curve is flat: other images or another backbone will help more."
    if expected.rising:
        return f"{text}: more images help."
    gain = 100 * expected.gain[2]
    return f"{text}. More images help by {gain:.0f} percentage points at best."


def _at(expected: Extrapolation, size: int) -> float:
    """Return the expected score at the size nearest to `size`."""
    return float(expected.middle[abs(expected.sizes - size).argmin()])
