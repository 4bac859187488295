"""The features that a sweep's runs share, computed before them with all cores."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from gellib.base.files import write_json
from gellib.base.paths import cache_folder
from gellib.config import RunConfig
from gellib.sweeps import kernel_server
from gellib.sweeps.live_state import remove_activity

# Views in one shard of a large set: about 20 s of resnet18 on two cores.
SHARD_VIEWS = 4096
# Shards are a multiple of all batch sizes, so that shards do not change the batches.
SHARD_STEP = 256


def feature_key(
    config: RunConfig, fingerprint: str, weights: dict[str, Any], computing: dict[str, Any]
) -> str:
    """Compute 32 hex digits that are equal for runs that need the same features.

    Parameters
    ----------
    config
        The run.
    fingerprint
        Of its images.
    weights
        Name and sha256 of the weights.
    computing
        What else features depend on here, `Machine.computing`: with another version of a library,
        those that are there are not the ones that runs look for.
    """
    if not config.has_random_views:
        config = config.model_copy(update={"augmentation": "none", "views": 0})
    facts = [config.key(upto="features"), fingerprint, weights.get("name"), weights.get("sha256")]
    facts.append(computing)
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def has_shared_features(config: RunConfig) -> bool:
    """Whether the network is frozen for a while, so that there are features to share."""
    return config.head_epochs > 0


def are_ready(config: RunConfig, key: str) -> bool:
    """Whether these features were computed before and their files are still there.

    A hint that saves time: a run checks its files itself, and computes damaged ones again.
    """
    note = _note(config, key)
    try:
        files = json.loads(note.read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError):
        return False
    return all((note.parent / name).is_file() for name in files)


def shard_size(config: RunConfig) -> int:
    """Choose how many images of a large set form a shard."""
    views = config.frozen_views if config.has_random_views else 1
    return max(SHARD_STEP, SHARD_VIEWS // views // SHARD_STEP * SHARD_STEP)


def prepare_features(
    config: RunConfig,
    key: str,
    threads: int,
    shard: int,
    *,
    live: Path,
    limit_s: float | None = None,
) -> dict[str, Any]:
    """Compute features in a fork, and note that they are there.

    Where they are there already, as when a lost worker's tasks are done again, nothing is computed.

    Parameters
    ----------
    config
        A run that needs them.
    key
        What `feature_key` returns for it.
    threads
        Threads of torch.
    shard
        Images in one shard.
    live
        File that has the number of images done meanwhile; it is deleted at the end.
    limit_s
        Wall-clock limit, seconds.

    Returns
    -------
    dict
        What `extract_features` returns; where that fails, only the `problem`: the runs will fail
        in the same way, and record it.
    """
    if are_ready(config, key):
        return {}
    made = _in_fork("extract_features", config, threads, shard, live, limit_s=limit_s)
    remove_activity(live)  # where the fork was stopped
    if "problem" not in made:
        write_json(_note(config, key), made)
    return made


def prepare_shard(
    config: RunConfig, images: Any, start: int, threads: int, shard: int, live: Path
) -> dict[str, Any]:
    """Compute one shard of the features in a fork.

    Parameters
    ----------
    config
        A run that needs them.
    images
        What `load_images_in_fork` returned.
    start
        Number of the shard's first image.
    threads
        Threads of torch.
    shard
        Images in one shard.
    live
        File that has the number of images done meanwhile.
    """
    if "problem" in images:
        return images
    return _in_fork("extract_shard", config, images["set"], start, threads, shard, live)


def load_images_in_fork(config: RunConfig) -> dict[str, Any]:
    """Find, check and split the images in a fork: the `set`, or the `problem` with it."""
    made = _in_fork("load_image_set", config)
    return made if isinstance(made, dict) else {"set": made}


def _in_fork(function: str, *args: Any, limit_s: float | None = None) -> Any:
    try:
        return kernel_server.call(f"gellib.sweeps.prepare:{function}", *args, limit_s=limit_s)
    except Exception as err:
        return {"problem": f"{type(err).__name__}: {err}"}


def _note(config: RunConfig, key: str) -> Path:
    return cache_folder(config.cache_dir) / f"ready-{key}.json"
