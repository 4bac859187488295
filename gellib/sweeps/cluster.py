"""Runs on Dask: shared features once, then the runs that need them; never more than the cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gellib.config import RunConfig
from gellib.runs import SweepFolder
from gellib.sweeps.feature_tasks import are_ready, has_shared_features, shard_size
from gellib.sweeps.same_package import (
    OtherPackageError,
    explain_difference,
    package_facts,
)
from gellib.sweeps.sweep_file import SweepError
from gellib.sweeps.workers import (
    join_on_worker,
    load_image_set_on_worker,
    run_on_worker,
    shard_on_worker,
)


@dataclass(frozen=True)
class PlannedRun:
    """A run to do: its folder, the key of its shared features, and the number of its images."""

    folder: Path
    config: RunConfig
    key: str
    images: int


@dataclass
class _Features:
    """Features under way: the future that has them all, and those of the shards before it."""

    network: str
    whole: Any
    shards: set[Any] = field(default_factory=set)
    bar: tqdm | None = None


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
        tasks: dict[str, PlannedRun],
        *,
        notebook: Path,
        limit_s: float | None,
        env: dict[str, str],
        log: Callable[[str], None],
    ) -> Iterator[tuple[str, str]]:
        """Execute all runs; yield name and problem of each as it ends, its record is in its folder.

        Runs with the same key share features, which are computed before the first of them. Only
        what the run itself cannot record is a problem, such as a lost worker.

        Parameters
        ----------
        tasks
            Runs to do, by name.
        notebook
            The notebook that each executes.
        limit_s
            Wall-clock limit of one run, and of the features of one backbone, seconds.
        env
            Environment variables of the kernels, beside the workers' own.
        log
            Takes a line of progress.

        Raises
        ------
        SweepError
            When the scheduler is lost, or a worker with another gellib has joined.
        """
        from distributed import as_completed

        features: dict[str, _Features | None] = {}
        names: dict[Any, str] = {}
        for name, task in tasks.items():
            if task.key not in features:
                features[task.key] = self._submit_features(task, limit_s)
            made = features[task.key]
            future = self._submit(
                run_on_worker,
                task.config,
                self.threads,
                notebook=notebook,
                folder=task.folder,
                features=made and made.whole,
                limit_s=limit_s,
                env=env,
            )
            names[future] = name
        owners = {f: made for made in features.values() if made for f in {made.whole, *made.shards}}
        for future in as_completed([*owners, *names], loop=self.client.loop):
            _refuse_other_package(future, len(names), len(tasks))
            if future.status not in ("finished", "error"):
                raise SweepError(
                    f"the scheduler was lost with {len(names)} of {len(tasks)} runs to do. Start "
                    "it and its workers again: the same command resumes where it was"
                )
            # What is held here Dask does again if the worker that has its result is lost.
            if future in owners:
                _log_features(future, owners.pop(future), log)
                future.release()
                continue
            lost = f"its worker was lost: {future.exception()}" if future.status == "error" else ""
            future.release()
            yield names.pop(future), lost

    def _submit_features(self, task: PlannedRun, limit_s: float | None) -> _Features | None:
        """Have features computed; those of large sets by all workers of a cluster."""
        config = task.config
        if not has_shared_features(config) or are_ready(config, task.key):
            return None
        size = shard_size(config)
        live = SweepFolder(task.folder.parent).live
        shards = []
        if self.cores is None and task.images > size:
            images = self._submit(load_image_set_on_worker, config, self.cores)
            shards = [
                self._submit(
                    shard_on_worker,
                    config,
                    self.cores,
                    images=images,
                    start=start,
                    shard=size,
                    live=live / f"{task.key}-{start:08d}.json",
                )
                for start in range(0, task.images, size)
            ]
        options = {"features_key": task.key, "shards": shards, "shard": size, "limit_s": limit_s}
        options["live"] = live / f"{task.key}.json"
        whole = self._submit(join_on_worker, config, self.cores, **options)
        bar = None
        if shards:
            what = f"{config.pretrained_model} features, shards"
            bar = tqdm(total=len(shards), desc=what, unit="shard", leave=False, disable=None)
        return _Features(config.pretrained_model, whole, set(shards), bar)

    def _submit(
        self, function: Callable[..., Any], config: RunConfig, threads: int | None, **options: Any
    ) -> Any:
        needs = {"GPU": 1.0} if config.hardware_type == "gpu" else {}
        if threads is not None:
            needs = {"CPU": float(threads), **needs}
        options |= {"threads": threads, "package": package_facts()}
        options |= {"pure": False, "resources": needs}
        return self.client.submit(function, config, **options)


def _log_features(future: Any, features: _Features, log: Callable[[str], None]) -> None:
    if future is not features.whole:
        if features.bar is not None:
            features.bar.update()
        return
    if features.bar is not None:
        features.bar.close()
    made = future.result() if future.status == "finished" else {}
    if "images" in made:
        log(f"features of {made['images']} images by {features.network}: {made['seconds']:.1f} s")


def _refuse_other_package(future: Any, left: int, total: int) -> None:
    """End the sweep when a task met a worker of another gellib: it would fail all that is left."""
    error = future.exception() if future.status == "error" else None
    if isinstance(error, OtherPackageError):
        raise SweepError(explain_difference(str(error), f"{left} of {total} runs are to do"))
