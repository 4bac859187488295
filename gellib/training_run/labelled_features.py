"""What is measured on the cached features of a finished run: `from_labelled_features`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from gellib.base.cached_json import cached_json
from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.evaluation import group_numbers
from gellib.runs import Record
from gellib.training_run.steps import (
    choose_compute,
    load_backbone,
    load_images,
    run_cache_folder,
)

# More images would take minutes, and show nothing that these do not.
_MOST_IMAGES = 5000


def from_labelled_features(
    record: Record,
    name: str,
    version: int,
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray, int], dict[str, Any] | None],
) -> dict[str, Any] | None:
    """Measure something on the features of a run's images that are no test part.

    They are those of unaugmented views, which are in the cache, whatever head and optimiser the run
    has. The result is cached.

    Parameters
    ----------
    record
        The run.
    name
        What is measured, in a word.
    version
        Is increased when the same images give another result than before.
    measure
        Gets features (N, d), targets, numbers of groups (N,) and the run's seed, and returns plain
        values, which JSON can hold.

    Returns
    -------
    dict or None
        What was measured. None where layers of the backbone or further images were trained on, the
        images have changed since or are gone, and where there are too many of them.
    """
    try:
        config = RunConfig(**record.config)
    except (TypeError, ValidationError):  # of an earlier version
        return None
    if config.trainable != "head" or config.input_adapter == "reinit" or config.extra_train_dir:
        return None
    try:
        loaded = load_images(config)
    except (OSError, ValueError):
        return None
    images = loaded.images
    rows = np.flatnonzero((images.table["split"] != "test").to_numpy())
    if loaded.fingerprint != record.data.fingerprint or len(rows) > _MOST_IMAGES:
        return None
    facts = {
        "version": version,
        "images": loaded.fingerprint,
        "config": config.key(upto="features"),
        "weights": record.weights.sha256,
    }
    found: dict[str, Any] | None = cached_json(
        Path(run_cache_folder(config)),
        name,
        facts,
        lambda: _measured(config, images, rows, measure),
    )
    return found


def _measured(
    config: RunConfig,
    images: ImageSet,
    rows: np.ndarray,
    measure: Callable[[np.ndarray, np.ndarray, np.ndarray, int], dict[str, Any] | None],
) -> dict[str, Any] | None:
    backbone, compute = load_backbone(config), choose_compute(config)
    if backbone.needs_calibration:  # the features depend on which images train
        return None
    features = compute.features.unaugmented(
        images, backbone, precision=compute.precision, device=compute.device
    )
    groups = group_numbers(images.table["group"].to_numpy()[rows], len(rows))
    return measure(features[rows], images.targets()[rows], groups, config.seed)
