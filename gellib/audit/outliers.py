"""Images that are unlike the others of their set in size, brightness or contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gellib.data.duplicates import Look

# Robust standard deviations from the median beyond which an image is named.
_FAR = 6.0
# Grey levels: less than this over the whole picture shows nothing.
_EVEN = 1.0
_TRAITS = {
    "width": ("wide", "narrow"),
    "height": ("tall", "low"),
    "aspect": ("wide for its height", "narrow for its height"),
    "mean brightness": ("bright", "dark"),
}


@dataclass(frozen=True)
class Outlier:
    """An image and what is odd about it."""

    file: str
    why: str


def find_outliers(files: Sequence[str], looks: Sequence[Look]) -> list[Outlier]:
    """Name the readable images that are far from the others, and those that show nothing."""
    if not files:
        return []
    width = np.array([look.info.width for look in looks], float)
    height = np.array([look.info.height for look in looks], float)
    traits = {
        # On a logarithmic scale: twice as wide is as far as half as wide.
        "width": np.log(width),
        "height": np.log(height),
        "aspect": np.log(width / height),
        "mean brightness": np.array([look.brightness for look in looks]),
    }
    shown = {
        "width": [f"{value:.0f} px" for value in width],
        "height": [f"{value:.0f} px" for value in height],
        "aspect": [f"{w:.0f} x {h:.0f} px" for w, h in zip(width, height, strict=True)],
        "mean brightness": [f"{look.brightness:.0f} of 255" for look in looks],
    }
    found: dict[str, list[str]] = {}
    for row, look in enumerate(looks):
        if look.small is not None and float(np.ptp(look.small.astype(np.float32))) < _EVEN:
            found.setdefault(files[row], []).append("even: it shows nothing")
    for name, values in traits.items():
        middle = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - middle))
        # A set of one size has no spread; what is then a little off is not worth a word.
        spread = max(spread, 2.0 if name == "mean brightness" else 0.05)
        for row in np.flatnonzero(np.abs(values - middle) > _FAR * spread).tolist():
            word = _TRAITS[name][0 if values[row] > middle else 1]
            found.setdefault(files[row], []).append(f"{word} ({shown[name][row]})")
    return [Outlier(file, ", ".join(why)) for file, why in found.items()]
