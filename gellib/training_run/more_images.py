"""What more images would give a finished run, from its cached features: `expect_more_images`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gellib.evaluation.extrapolation import Extrapolation, extrapolate
from gellib.evaluation.learning_curve import measure_learning_curve
from gellib.runs import Record
from gellib.training_run.labelled_features import from_labelled_features

_POINTS = 25
_VERSION = 1  # increased when the same images get another curve than before


@dataclass(frozen=True)
class MoreImages:
    """The learning curve of a run's images and backbone, and how it is expected to go on.

    Attributes
    ----------
    sizes, means
        Numbers of training images, and the score of solved heads trained on them, (S,).
    n
        Number of images there are.
    wanted, middle, low, high
        Numbers of training images up to twice as many, and the expected score with the ends of its
        90 % band, (M,).
    gain
        Median and ends of the band of what twice as many images add to the score.
    """

    sizes: tuple[float, ...]
    means: tuple[float, ...]
    n: int
    wanted: tuple[float, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    gain: tuple[float, float, float]

    def expected(self) -> Extrapolation:
        """Return the expected scores."""
        wanted, middle, low, high = map(np.array, (self.wanted, self.middle, self.low, self.high))
        return Extrapolation(wanted, middle, low, high, self.gain, self.n)


def expect_more_images(record: Record) -> MoreImages | None:
    """Measure the learning curve of a finished run's images and backbone, and extrapolate it.

    Heads are solved on the features of unaugmented views, which are in the cache, whatever head and
    optimiser the run has. The result is cached.

    Returns
    -------
    MoreImages or None
        None where layers of the backbone or further images were trained on, the images have changed
        since or are gone, and where there are too few of them, or too many.
    """
    found = from_labelled_features(record, "more_images", _VERSION, _measure)
    if found is None:
        return None
    # JSON has lists for what are tuples.
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    return MoreImages(**values)


def _measure(
    features: np.ndarray, targets: np.ndarray, groups: np.ndarray, seed: int
) -> dict[str, Any] | None:
    curve = measure_learning_curve(features, targets, groups, seed=seed)
    if curve is None:
        return None
    wanted = np.geomspace(curve.sizes[0], 2 * curve.n, _POINTS)
    expected = extrapolate(curve, wanted, seed=seed)
    found = MoreImages(
        sizes=tuple(curve.sizes.tolist()),
        means=tuple(curve.means.tolist()),
        n=curve.n,
        wanted=tuple(wanted.tolist()),
        middle=tuple(expected.middle.tolist()),
        low=tuple(expected.low.tolist()),
        high=tuple(expected.high.tolist()),
        gain=expected.gain,
    )
    return asdict(found)
