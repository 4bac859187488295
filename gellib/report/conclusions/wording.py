"""How sentences write numbers, models and differences."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gellib.base.markup import in_markdown
from gellib.plots.base import percent
from gellib.plots.sweep import id_ranges


def in_images(share: float, n: int, what: str = "test images") -> str:
    """Write a share of 0..1 in percent and as a count: `95.5 % = 21 of 22 test images`.

    A mean over repeats need not be a whole number of images: `95.0 %, about 87 of 92 images`.
    """
    whole = abs(share * n - round(share * n)) < 1e-6 * max(n, 1)
    return f"{percent(share)}{' =' if whole else ', about'} {round(share * n)} of {int(n)} {what}"


def model_name(row: Any) -> str:
    """Name a row of the models: `model 16 (gpu, resnet18, multi, sgd)`."""
    return (
        f"model {row.model_id} ({in_markdown(row.label)})" if row.label else f"model {row.model_id}"
    )


def models(ids: Iterable[int]) -> str:
    """Name models by their numbers: `models 1, 4–7`."""
    ids = list(dict.fromkeys(ids))  # each model once, whatever the number of its seeds
    return f"model{'' if len(ids) == 1 else 's'} {id_ranges(ids)}"


def count(n: int, noun: str) -> str:
    """Write a number with its noun: `1 run`, `12 runs`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def percentage_points(difference: float, low: float, high: float) -> str:
    """Write a difference of shares (0..1): `+5.0 percentage points (−1.2 to 11.2)`."""
    text = f"{_signed(difference, '+')} percentage points"
    if not (low == low and high == high):
        return text
    return f"{text} ({_signed(low)} to {_signed(high)})"


def _signed(value: float, sign: str = "") -> str:
    # Rounded first, and no minus before a zero.
    value = round(100 * value, 1) + 0.0
    return f"{value:{sign if value else ''}.1f}".replace("-", "−")
