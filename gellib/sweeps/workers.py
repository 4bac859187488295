"""What Dask workers do of a sweep: load images, compute features, run notebooks."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gellib.config import RunConfig
from gellib.runs import RunFolder
from gellib.sweeps.execute import execute_run
from gellib.sweeps.feature_tasks import load_images_in_fork, prepare_features, prepare_shard
from gellib.sweeps.same_package import for_same_package

_gpu_slots: queue.Queue[int] = queue.Queue()


@for_same_package
def run_on_worker(
    config: RunConfig,
    *,
    notebook: Path,
    folder: Path,
    features: Any,
    threads: int | None,
    limit_s: float | None,
    env: dict[str, str],
) -> None:
    """Execute one run, unless it is done: a lost worker may have finished it just before.

    Parameters
    ----------
    config
        Parameters of the run.
    notebook
        The training notebook.
    folder
        Folder of the run.
    features
        Future of the features, or None; Dask starts this task once it has finished.
    threads
        Threads of the run; None is the worker's share of its cores.
    limit_s
        Wall-clock limit, seconds.
    env
        Environment variables of the kernel, beside the worker's own.
    """
    run = RunFolder(folder)
    if run.is_done(config) and run.notebook.exists():
        return
    with _gpu_slot(config) as gpu_env:
        execute_run(
            notebook,
            run,
            config,
            threads=threads or _share_of_cores(),
            limit_s=limit_s,
            env={**env, **gpu_env},
        )


@for_same_package
def join_on_worker(
    config: RunConfig,
    *,
    features_key: str,
    shards: Sequence[Any],
    shard: int,
    live: Path,
    threads: int | None,
    limit_s: float | None,
) -> dict[str, Any]:
    """Compute features, or join them where there are shards of them.

    Parameters
    ----------
    config
        A run that needs them.
    features_key
        What `feature_key` returns for it.
    shards
        Futures of the shards; empty where the features are computed here.
    shard
        Images in one shard.
    live
        File that has the number of images done meanwhile.
    threads
        Threads of torch; None is the worker's share of its cores.
    limit_s
        Wall-clock limit, seconds.
    """
    threads = threads or _share_of_cores()
    return prepare_features(config, features_key, threads, shard, live=live, limit_s=limit_s)


@for_same_package
def load_image_set_on_worker(config: RunConfig, *, threads: int | None) -> dict[str, Any]:
    """Find, check and split the images of a set whose features are computed in shards."""
    return load_images_in_fork(config)


@for_same_package
def shard_on_worker(
    config: RunConfig, *, images: Any, start: int, shard: int, live: Path, threads: int | None
) -> dict[str, Any]:
    """Compute one shard of features.

    Parameters
    ----------
    config
        A run that needs them.
    images
        What `load_image_set_on_worker` returned.
    start
        Number of the shard's first image.
    shard
        Images in one shard.
    live
        File that has the number of images done meanwhile.
    threads
        Threads of torch; None is the worker's share of its cores.
    """
    return prepare_shard(config, images, start, threads or _share_of_cores(), shard, live)


def offer_gpus(count: int) -> None:
    """Let each GPU run of this process have one of `count` GPUs."""
    for device in range(count):
        _gpu_slots.put(device)


def cores_here() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _gpu_slot(config: RunConfig) -> Iterator[dict[str, str]]:
    """Give a GPU run a device of its own; Dask's resource `GPU` ensures that one is free.

    Workers of `--scheduler` have no such slots: their runs see the devices that they see.
    """
    try:
        device = _gpu_slots.get_nowait() if config.hardware_type == "gpu" else None
    except queue.Empty:
        device = None
    try:
        yield {} if device is None else {"CUDA_VISIBLE_DEVICES": str(device)}
    finally:
        if device is not None:
            _gpu_slots.put(device)


def _share_of_cores() -> int:
    """Return the cores of a worker divided by the runs that it takes at once."""
    from distributed import get_worker

    return max(1, cores_here() // get_worker().state.nthreads)
