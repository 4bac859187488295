"""What a sweep prepares before its runs and only torch can do.

The sweep's own process stays free of torch: it calls these functions in forks of the preloaded
server, and they return plain values.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from gellib.backbones import device_for, device_missing, resolve_weights
from gellib.config import ConfigError, RunConfig
from gellib.experiment import check_network, feature_store, load_backbone, load_images
from gellib.training import compute_features


def look_around(configs: Sequence[RunConfig]) -> dict[str, Any]:
    """Check networks, steps and weights, and see what devices there are.

    Weights that are to be had are downloaded. Returns `missing` (by hardware type, why it is not
    there), `gpus` (how many) and `weights` (by network and parameter, name, sha256 and warning).

    Raises
    ------
    ConfigError
        When a parameter names what does not exist, or weights cannot be had.
    """
    weights = {}
    for config in configs:
        check_network(config)
        key = (config.pretrained_model, config.weights)
        if key in weights:
            continue
        try:
            info = resolve_weights(*key)
        except ValueError as err:
            raise ConfigError(f"parameter 'weights': {err}") from err
        weights[key] = info.to_dict()
    gpu = not device_missing("gpu")
    return {
        "missing": {kind: device_missing(kind) for kind in ("cpu", "gpu")},
        "gpus": max(1, torch.cuda.device_count()) if gpu else 0,
        "weights": weights,
    }


def extract_features(config: RunConfig, threads: int) -> dict[str, Any]:
    """Have all features of a configuration in its store.

    Returns the names of the `files`, how many `images` were looked at, and the `seconds`.
    """
    started = time.perf_counter()
    torch.set_num_threads(threads)
    images = load_images(config).images
    backbone = load_backbone(config)
    store = feature_store(config)
    device = device_for(config.hardware_type)
    compute_features(config, images, backbone, store=store, device=device)
    return {
        "files": store.files,
        "images": len(images),
        "seconds": time.perf_counter() - started,
    }
