"""Runs on Dask: features first and once, then the runs that need them; cores are never oversold."""

from __future__ import annotations

import contextlib
import os
import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gellib.config import RunConfig
from gellib.runs import RunFolder
from gellib.sweeps.execute import execute_run
from gellib.sweeps.features import are_ready, has_shared_features, prepare_features

# A run whose worker is lost goes to another one, but not for ever: it may be what kills them.
_ALLOWED_LOSSES = 3

_gpu_slots: queue.Queue[int] = queue.Queue()


class Cluster:
    """A Dask client, and how many cores and threads a run may have.

    Of a cluster that is not ours, cores and threads are unknown (None): each worker gives a run
    its share.
    """

    def __init__(self, client: Any, *, cores: int | None, threads: int | None) -> None:
        self.client = client
        self.cores = cores
        self.threads = threads

    def run(
        self,
        runs: dict[str, tuple[Path, RunConfig]],
        keys: dict[str, str],
        *,
        notebook: Path,
        limit_s: float | None,
        env: dict[str, str],
        say: Callable[[str], None],
    ) -> Iterator[tuple[str, str]]:
        """Run all, and yield name and problem as they end; a record is where the run's folder is.

        Runs with the same key share features, which are computed before the first of them. Only
        what no record can hold is a problem: a lost worker.
        """
        from distributed import as_completed

        features: dict[str, Any] = {}
        networks: dict[Any, str] = {}
        names: dict[Any, str] = {}
        for name, (folder, config) in runs.items():
            key = keys[name]
            if key not in features:
                features[key] = self._submit_features(config, key, limit_s)
                if features[key] is not None:
                    networks[features[key]] = config.pretrained_model
            future = self.client.submit(
                run_on_worker,
                notebook,
                folder,
                config,
                features[key],
                threads=self.threads,
                limit_s=limit_s,
                env=env,
                pure=False,
                resources=self._resources(config, self.threads),
            )
            names[future] = name
        for future in as_completed([*networks, *names], loop=self.client.loop):
            if future in names:
                lost = f"its worker was lost: {future.exception()}"
                yield names[future], lost if future.status == "error" else ""
            elif future.status == "finished" and "images" in future.result():
                made, network = future.result(), networks[future]
                say(f"features of {made['images']} images by {network}: {made['seconds']:.1f} s")

    def _submit_features(self, config: RunConfig, key: str, limit_s: float | None) -> Any:
        if not has_shared_features(config) or are_ready(config, key):
            return None
        return self.client.submit(
            prepare_on_worker,
            config,
            key,
            threads=self.cores,
            limit_s=limit_s,
            pure=False,
            resources=self._resources(config, self.cores),
        )

    def _resources(self, config: RunConfig, cores: int | None) -> dict[str, float]:
        gpu = {"GPU": 1.0} if config.hardware_type == "gpu" else {}
        return gpu if cores is None else {"CPU": float(cores), **gpu}


def run_on_worker(
    notebook: Path,
    folder: Path,
    config: RunConfig,
    features: Any,
    *,
    threads: int | None,
    limit_s: float | None,
    env: dict[str, str],
) -> None:
    """Execute one run on a Dask worker; `features` only says that they are there."""
    with _gpu_slot(config) as gpu_env:
        execute_run(
            notebook,
            RunFolder(folder),
            config,
            threads=threads or _share_of_cores(),
            limit_s=limit_s,
            env={**env, **gpu_env},
        )


def prepare_on_worker(
    config: RunConfig, key: str, *, threads: int | None, limit_s: float | None
) -> dict[str, Any]:
    """Compute features on a Dask worker."""
    return prepare_features(config, key, threads or _share_of_cores(), limit_s)


def missing_on_cluster(scheduler: str) -> dict[str, str]:
    """Return, by hardware type, why no worker of a cluster has it; a run would wait for ever."""
    with _client_of(scheduler) as client:
        offered = client.run_on_scheduler(_has_gpu)
    return {} if offered else {"gpu": "no worker of the cluster offers the resource GPU=1"}


def _has_gpu(dask_scheduler: Any) -> bool:
    return any(w.resources.get("GPU", 0) >= 1 for w in dask_scheduler.workers.values())


def _client_of(scheduler: str) -> Any:
    from distributed import Client

    from gellib.sweeps.spec import SweepError

    try:
        return Client(scheduler, timeout="20s", set_as_default=False)
    except (OSError, ValueError, TimeoutError) as err:
        raise SweepError(
            f"no Dask scheduler answers at {scheduler} ({type(err).__name__}: {err}); "
            "start one with `dask scheduler` and workers with `dask worker ADDRESS`"
        ) from err


@contextlib.contextmanager
def connect(
    scheduler: str | None, *, jobs: int | None, threads: int | None, gpus: int
) -> Iterator[Cluster]:
    """Connect to a Dask scheduler, or start one in this process.

    Raises
    ------
    SweepError
        When the scheduler does not answer.
    """
    import dask
    from distributed import Client, LocalCluster

    losses = {"distributed.scheduler.allowed-failures": _ALLOWED_LOSSES}
    if scheduler:
        with _client_of(scheduler) as client:
            yield Cluster(client, cores=None, threads=threads)
        return
    cores = _cores()
    jobs = min(jobs or cores, cores)
    threads = min(threads or cores, cores // jobs)
    for device in range(gpus):
        _gpu_slots.put(device)
    with (
        dask.config.set(losses),
        LocalCluster(
            n_workers=1,
            threads_per_worker=jobs,
            processes=False,
            dashboard_address="127.0.0.1:0",
            memory_limit=0,
            resources={"CPU": jobs * threads, "GPU": gpus},
        ) as local,
        Client(local, set_as_default=False) as client,
    ):
        yield Cluster(client, cores=jobs * threads, threads=threads)


@contextlib.contextmanager
def _gpu_slot(config: RunConfig) -> Iterator[dict[str, str]]:
    """Give a GPU run a device of its own; Dask's resource `GPU` sees to it that one is free.

    A worker of somebody else's cluster has no slots of ours: its runs see the devices it sees.
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


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _share_of_cores() -> int:
    """Return the cores of a worker divided by the runs that it takes at once."""
    from distributed import get_worker

    return max(1, _cores() // get_worker().state.nthreads)
