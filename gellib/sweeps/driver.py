"""Running a sweep: what is not done yet goes to Dask, one notebook a configuration."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gellib import kernels
from gellib.config import RunConfig, find_path
from gellib.runs import RunFolder, SweepFolder, write_json
from gellib.sweeps.execute import NotebookError, execute, execute_run
from gellib.sweeps.plan import fingerprints_of, locked, plan, status_of
from gellib.sweeps.spec import Sweep, SweepError

SUMMARY_NOTEBOOK = "notebooks/3_summary.ipynb"


@dataclass(frozen=True)
class Outcome:
    """What a sweep came to: its runs by name with their status, and where things are."""

    statuses: dict[str, str]
    results: Path
    summary: Path | None
    problem: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How many runs have each status."""
        return dict(Counter(self.statuses.values()))

    @property
    def failed(self) -> list[str]:
        """Names of the runs that failed."""
        return [name for name, status in self.statuses.items() if status == "failed"]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.problem and not self.failed


def run_sweep(
    sweep: Sweep,
    *,
    jobs: int | None = None,
    threads: int | None = None,
    scheduler: str | None = None,
    fresh: bool = False,
    limit_s: float | None = None,
    summary: bool = True,
    say: Callable[[str], None] = tqdm.write,
) -> Outcome:
    """Run what is not done yet, then write `results.csv` and the summary.

    Parameters
    ----------
    jobs, threads
        Runs at once and threads of each; by default one run with all cores. Their product never
        exceeds the cores.
    scheduler
        Address of a Dask scheduler; by default a local one, in this process.
    fresh
        Forget earlier results of these runs.
    limit_s
        Wall-clock limit for one run, seconds.
    summary
        Execute the summary notebook at the end.
    say
        Takes a line of progress.

    Raises
    ------
    SweepError
        Before anything is run: another sweep runs in the folder, finished runs there are of
        another configuration, or the images cannot be read.
    """
    kernels.start_server()
    folder = SweepFolder(sweep.folder)
    with locked(folder):
        fingerprints = fingerprints_of(sweep)
        if fresh:
            for name in sweep.configs:
                RunFolder(folder.path / name).clear()
        todo = plan(sweep, folder, fingerprints)
        write_json(
            folder.sweep,
            {"name": sweep.name, "purpose": sweep.purpose, "runs": list(sweep.configs)},
        )
        missing = _missing_devices(todo, scheduler)
        _run_all(
            sweep,
            folder,
            todo,
            missing,
            jobs=jobs,
            threads=threads,
            scheduler=scheduler,
            limit_s=limit_s,
            say=say,
        )
        results = folder.write_results()
        statuses = status_of(folder, sweep, alive=False)
        made, problem = None, ""
        if summary and "done" in statuses.values():
            say("making the summary")
            made, problem = _summarise(folder)
    return Outcome(statuses, results, made, problem)


def _missing_devices(todo: dict[str, RunConfig], scheduler: str | None) -> dict[str, str]:
    """Return, by hardware type, why it is not to be had; a cluster asks its workers."""
    kinds = sorted({config.hardware_type for config in todo.values()})
    if scheduler is not None or not kinds:
        return {}
    return kernels.call("gellib.sweeps.precheck:missing_devices", kinds)


def _run_all(
    sweep: Sweep,
    folder: SweepFolder,
    todo: dict[str, RunConfig],
    missing: dict[str, str],
    *,
    jobs: int | None,
    threads: int | None,
    scheduler: str | None,
    limit_s: float | None,
    say: Callable[[str], None],
) -> None:
    from distributed import as_completed

    names = list(sweep.configs)
    numbers = {name: number for number, name in enumerate(names, start=1)}
    with tqdm(total=len(names), desc=sweep.name, unit="run", smoothing=0) as bar:

        def report(name: str, text: str) -> None:
            say(f"[{numbers[name]:>3} of {len(names)}] {name:<40} {text}")
            bar.update()

        bar.update(len(names) - len(todo))
        if len(names) > len(todo):
            say(f"{len(names) - len(todo)} of {len(names)} runs were done before")
        ready = {}
        for name, config in todo.items():
            if reason := missing.get(config.hardware_type):
                run = RunFolder(folder.path / name)
                run.clear()
                run.write_outcome(config, "skipped", reason)
                report(name, f"skipped: {reason}")
            else:
                ready[name] = config
        if not ready:
            return
        env = _prepare_weights(ready, say)
        with _client(scheduler, jobs, threads) as (client, threads):
            futures = {}
            for name, config in ready.items():
                future = client.submit(
                    execute_run,
                    sweep.notebook,
                    RunFolder(folder.path / name),
                    config,
                    threads=threads,
                    limit_s=limit_s,
                    env=env,
                    pure=False,
                    resources={"GPU": 1} if config.hardware_type == "gpu" else None,
                )
                futures[future] = name
            for future in as_completed(futures):
                name = futures[future]
                run = RunFolder(folder.path / name)
                if future.status == "error":
                    run.write_outcome(
                        ready[name], "failed", f"its worker was lost: {future.exception()}"
                    )
                report(name, _line(run, future))


def _line(run: RunFolder, future: Any) -> str:
    record = run.read_record() or {"status": "failed", "reason": "it left no record"}
    seconds = f"{future.result():.1f} s" if future.status == "finished" else ""
    if record["status"] != "done":
        return f"{record['status'].upper()} {seconds} {record['reason']:.200}"
    test = record["metrics"]["test"]
    right = round(test["accuracy"] * test["n"])
    return f"{seconds:>8}  test accuracy {test['accuracy']:6.1%} ({right} of {test['n']})"


def _prepare_weights(ready: dict[str, RunConfig], say: Callable[[str], None]) -> dict[str, str]:
    """Have each network's weights here before the first run; the runs then look nowhere else.

    Returns the environment variables that tell them so.
    """
    distinct = {(c.pretrained_model, c.augmentation, c.weights): c for c in ready.values()}
    try:
        warnings = kernels.call("gellib.sweeps.precheck:prepare_weights", list(distinct.values()))
    except ValueError as err:
        raise SweepError(f"{err}; nothing was run") from err
    for warning in warnings:
        say(f"WARNING: {warning}")
    return {"GELLIB_WEIGHTS_TIMEOUT_S": "0"}


@contextlib.contextmanager
def _client(scheduler: str | None, jobs: int | None, threads: int | None) -> Iterator[Any]:
    """Connect to a Dask scheduler, or start one in this process; gives (client, threads a run)."""
    import dask
    from distributed import Client, LocalCluster

    if scheduler:
        with Client(scheduler, timeout="30s") as client:
            yield client, threads
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jobs = min(jobs or 1, cores)
    threads = min(threads or cores, cores // jobs)
    # A run holds its worker thread for minutes; Dask is not to call that unresponsive.
    dask.config.set({"distributed.worker.memory.terminate": False})
    with (
        LocalCluster(
            n_workers=1,
            threads_per_worker=jobs,
            processes=False,
            dashboard_address=None,
            resources={"GPU": jobs},
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client, threads


def _summarise(folder: SweepFolder) -> tuple[Path | None, str]:
    try:
        execute(
            find_path(SUMMARY_NOTEBOOK), folder.summary, {"sweep_dir": os.path.relpath(folder.path)}
        )
    except NotebookError as err:
        return None, f"the summary failed: {err}; see {folder.summary}"
    return folder.summary, ""
