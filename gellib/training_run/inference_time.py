"""How long predictions take, measured once per backbone."""

from __future__ import annotations

import platform

import numpy as np
import torch

from gellib.base.cached_json import cached_json
from gellib.data import ImageSet
from gellib.models.backbones import resolve_precision
from gellib.models.compute import Compute
from gellib.models.features.identity import ensure_digests, feature_facts
from gellib.models.training import InferenceTime, TrainResult, time_inference
from gellib.training_run.environment import device_name


def known_inference_time(
    result: TrainResult, imageset: ImageSet, rows: np.ndarray, compute: Compute
) -> InferenceTime:
    """Measure as `time_inference`, once for all heads on the same frozen backbone and images.

    A head is not a thousandth of the work. The time is kept beside the features, for this machine
    and number of threads; without a store, or where layers are trained, it is measured each time.

    Parameters
    ----------
    result
        The trained model.
    imageset
        The images.
    rows
        n rows of their table.
    compute
        How to compute.
    """
    backbone, store = result.backbone, compute.store

    def measure() -> float:
        timed = time_inference(backbone, result.head, imageset, compute, rows=rows)
        return timed.images_per_s

    if store is None or not backbone.frozen or not len(rows):
        return time_inference(backbone, result.head, imageset, compute, rows=rows)
    digests = ensure_digests(imageset).table["digest"].iloc[rows]
    precision = resolve_precision(compute.precision, compute.device)
    machine = [platform.node(), device_name(compute.device), torch.get_num_threads()]
    facts = [feature_facts(backbone, digests, precision, compute.device), machine]
    images_per_s = cached_json(store.cache_dir, "inference", facts, measure)
    return InferenceTime(len(rows) / images_per_s, images_per_s)
