"""What more images would give a finished run, from its cached features: `expect_more_images`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from gellib.base.cached_json import cached_json
from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.evaluation import group_numbers
from gellib.evaluation.extrapolation import Extrapolation, extrapolate
from gellib.evaluation.learning_curve import measure_learning_curve
from gellib.runs import Record
from gellib.training_run.steps import (
    cache_folder,
    choose_compute,
    load_backbone,
    load_images,
)

# More images would take minutes, and show nothing that these do not.
MOST_IMAGES = 5000
_POINTS = 25
VERSION = 1  # increased when the same images get another curve than before


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
        None where layers of the backbone were trained, the images have changed since or are gone,
        and where there are too few of them, or too many.
    """
    try:
        config = RunConfig(**record.config)
    except (TypeError, ValidationError):  # of an earlier version
        return None
    if config.trainable != "head" or config.input_adapter == "reinit":
        return None
    try:
        loaded = load_images(config)
    except (OSError, ValueError):
        return None
    images = loaded.images
    if loaded.fingerprint != record.data.fingerprint or not _can_be_measured(images):
        return None
    facts = {
        "version": VERSION,
        "images": loaded.fingerprint,
        "config": config.key(upto="features"),
        "weights": record.weights.sha256,
    }
    folder = Path(cache_folder(config))
    found = cached_json(folder, "more_images", facts, lambda: _measure(config, images))
    if found is None:
        return None
    # JSON has lists for what are tuples.
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    return MoreImages(**values)


def _can_be_measured(images: ImageSet) -> bool:
    return len(_rows(images)) <= MOST_IMAGES


def _rows(images: ImageSet) -> np.ndarray:
    """Return the rows of the images that are no test part."""
    return np.flatnonzero((images.table["split"] != "test").to_numpy())


def _measure(config: RunConfig, images: ImageSet) -> dict[str, Any] | None:
    backbone, compute = load_backbone(config), choose_compute(config)
    if backbone.needs_calibration:  # the features depend on which images train
        return None
    rows = _rows(images)
    features = compute.features.unaugmented(
        images, backbone, precision=compute.precision, device=compute.device
    )
    groups = group_numbers(images.table["group"].to_numpy()[rows], len(rows))
    curve = measure_learning_curve(features[rows], images.targets()[rows], groups, seed=config.seed)
    if curve is None:
        return None
    wanted = np.geomspace(curve.sizes[0], 2 * curve.n, _POINTS)
    expected = extrapolate(curve, wanted, seed=config.seed)
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
