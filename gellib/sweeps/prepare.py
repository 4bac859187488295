"""What a sweep prepares before its runs and only torch can do.

The sweep's own process stays free of torch: it calls these functions in forks of the preloaded
server, and they return plain values.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import gellib
from gellib.config import ConfigError, RunConfig
from gellib.data import ImageSet
from gellib.models.backbones import (
    WeightsInfo,
    WeightsMissing,
    choose_device,
    device_missing,
    resolve_precision,
    resolve_weights,
)
from gellib.models.compute import Compute
from gellib.models.features.identity import FEATURES_VERSION, library_versions
from gellib.models.training import compute_features, compute_shard
from gellib.sweeps.live_state import ActivityFile
from gellib.sweeps.machine import NO_WEIGHTS, Machine
from gellib.training_run import check_network, choose_compute, load_backbone, load_images


def probe_machine(configs: Sequence[RunConfig]) -> Machine:
    """Check backbones, steps and weights, and find the devices of this machine.

    Weights are downloaded where they can be.

    Raises
    ------
    ConfigError
        When a parameter names what does not exist, or weights cannot be had.
    """
    weights, no_weights = {}, {}
    for config in configs:
        check_network(config)
        key = (config.pretrained_model, config.weights)
        if key in weights:
            continue
        try:
            info = resolve_weights(*key)
        except WeightsMissing as err:
            if config.weights != "pretrained":
                raise ConfigError(f"parameter 'weights': {err}") from err
            no_weights[key] = f"{NO_WEIGHTS}: {err}"
            info = WeightsInfo("missing", "")
        except ValueError as err:
            raise ConfigError(f"parameter 'weights': {err}") from err
        weights[key] = info.to_dict()
    missing = {kind: device_missing(kind) for kind in ("cpu", "gpu")}
    devices = [choose_device(kind) for kind, reason in missing.items() if not reason]
    return Machine(
        missing=missing,
        gpus=0 if missing["gpu"] else max(1, torch.cuda.device_count()),
        weights=weights,
        package=gellib.__file__,
        no_weights=no_weights,
        computing={
            "version": FEATURES_VERSION,
            "libraries": library_versions(),
            "auto": {device.type: resolve_precision("auto", device) for device in devices},
        },
    )


def extract_features(config: RunConfig, threads: int, shard: int, live: Path) -> dict[str, Any]:
    """Compute all features of a configuration, of large sets in shards.

    Parameters
    ----------
    config
        A run that needs them.
    threads
        Threads of torch.
    shard
        Images in one shard.
    live
        File that has the number of images done meanwhile.

    Returns
    -------
    dict
        The names of the `files`, how many `images` there are, and the `seconds`.
    """
    started = time.perf_counter()
    torch.set_num_threads(threads)
    images = load_image_set(config)
    compute = _compute_in_shards(config, shard, live)
    compute_features(config, images, load_backbone(config), compute)
    return {
        "files": compute.features.files,
        "images": len(images),
        "seconds": time.perf_counter() - started,
    }


def extract_shard(
    config: RunConfig, images: ImageSet, start: int, threads: int, shard: int, live: Path
) -> dict[str, Any]:
    """Compute one shard of the features; returns the names of its `files` in the store.

    Parameters
    ----------
    config
        A run that needs them.
    images
        Its images, split.
    start
        Number of the shard's first image.
    threads
        Threads of torch.
    shard
        Images in one shard.
    live
        File that has the number of images done meanwhile.
    """
    torch.set_num_threads(threads)
    compute = _compute_in_shards(config, shard, live)
    compute_shard(config, images, load_backbone(config), start, compute)
    return {"files": compute.features.files}


def load_image_set(config: RunConfig) -> ImageSet:
    """Find and check the images of a configuration, and split them; all that are trained on."""
    return load_images(config).with_extra


def _compute_in_shards(config: RunConfig, shard: int, live: Path) -> Compute:
    compute = choose_compute(config)
    store = replace(compute.features, shard=shard)
    return replace(compute, store=store, progress=partial(ActivityFile, live))
