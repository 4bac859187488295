"""Images that differ from the others of their set in size, brightness or contrast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gellib.data.duplicates import ImageSummary

# Robust standard deviations from the median beyond which an image is listed. No benchmark set it.
_OUTLIER_DEVIATIONS = 6.0
# An image whose grey levels span less than this (of 255) is uniform. No benchmark set it.
_UNIFORM_RANGE = 1.0
_TRAITS = {
    "width": ("wide", "narrow"),
    "height": ("tall", "low"),
    "aspect": ("wide for its height", "narrow for its height"),
    "mean brightness": ("bright", "dark"),
}


@dataclass(frozen=True)
class Outlier:
    """An image and why it is unusual."""

    file: str
    why: str


def find_outliers(files: Sequence[str], summaries: Sequence[ImageSummary]) -> list[Outlier]:
    """List the readable images that are far from the others, and uniform ones."""
    if not files:
        return []
    width = np.array([summary.info.width for summary in summaries], float)
    height = np.array([summary.info.height for summary in summaries], float)
    traits = {
        # On a logarithmic scale: twice as wide is as far as half as wide.
        "width": np.log(width),
        "height": np.log(height),
        "aspect": np.log(width / height),
        "mean brightness": np.array([summary.brightness for summary in summaries]),
    }
    shown = {
        "width": [f"{value:.0f} px" for value in width],
        "height": [f"{value:.0f} px" for value in height],
        "aspect": [f"{w:.0f} x {h:.0f} px" for w, h in zip(width, height, strict=True)],
        "mean brightness": [f"{summary.brightness:.0f} of 255" for summary in summaries],
    }
    found: dict[str, list[str]] = {}
    for row, summary in enumerate(summaries):
        small = summary.thumbnail
        if small is not None and float(np.ptp(small.astype(np.float32))) < _UNIFORM_RANGE:
            found.setdefault(files[row], []).append("uniform: it shows nothing")
    for name, values in traits.items():
        middle = np.median(values)
        spread = 1.4826 * np.median(np.abs(values - middle))
        # A set of one size has no spread; small deviations are then not reported.
        spread = max(spread, 2.0 if name == "mean brightness" else 0.05)
        for row in np.flatnonzero(np.abs(values - middle) > _OUTLIER_DEVIATIONS * spread).tolist():
            word = _TRAITS[name][0 if values[row] > middle else 1]
            found.setdefault(files[row], []).append(f"{word} ({shown[name][row]})")
    return [Outlier(file, ", ".join(why)) for file, why in found.items()]
