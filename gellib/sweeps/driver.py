"""Running a sweep: what is not done yet goes to Dask, one notebook a configuration."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from tqdm import tqdm

import gellib
from gellib.base.files import write_json
from gellib.base.paths import find_path
from gellib.config import RunConfig
from gellib.runs import RunFolder, SweepFolder
from gellib.sweeps import kernels
from gellib.sweeps.cluster import Task, connect, missing_on_cluster
from gellib.sweeps.execute import NotebookError, execute
from gellib.sweeps.feature_tasks import feature_key
from gellib.sweeps.plan import fingerprints_of, locked, plan, status_of
from gellib.sweeps.spec import Sweep, SweepError

# The sweep has looked for weights already; a run is not to try the network again.
RUN_ENV = {"GELLIB_WEIGHTS_TIMEOUT_S": "0"}
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
        Runs at once, by default one a core, and threads of each, by default the cores divided by
        the runs. Their product never exceeds the cores. Features are computed with all cores.
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
        fingerprints, counts = fingerprints_of(sweep)
        around = _look_around(sweep, say)
        if fresh:
            for name in sweep.configs:
                RunFolder(folder.path / name).clear()
        todo = plan(sweep, folder, fingerprints, around["weights"])
        write_json(folder.sweep, sweep.describe())
        with tqdm(total=len(sweep.configs), desc=sweep.name, unit="run", smoothing=0) as bar:
            report = _reporter(sweep, bar, say)
            if before := len(sweep.configs) - len(todo):
                bar.update(before)
                say(f"{before} of {len(sweep.configs)} runs were done before")
            missing = missing_on_cluster(scheduler) if scheduler else around["missing"]
            ready = _skip_missing(folder, todo, missing, report)
            keys = {
                name: feature_key(
                    config,
                    fingerprints[config.dataset_dir, config.test_dir],
                    around["weights"][config.pretrained_model, config.weights],
                )
                for name, config in ready.items()
            }
            if ready:
                options = {"jobs": jobs, "threads": threads, "gpus": around["gpus"]}
                with connect(scheduler, **options) as cluster:
                    runs = {
                        name: Task(
                            folder.path / name,
                            config,
                            keys[name],
                            counts[config.dataset_dir, config.test_dir],
                        )
                        for name, config in ready.items()
                    }
                    submit = {"notebook": sweep.notebook, "limit_s": limit_s, "env": RUN_ENV}
                    for name, problem in cluster.run(runs, say=say, **submit):
                        run = RunFolder(folder.path / name)
                        if problem:
                            run.write_outcome(ready[name], "failed", problem)
                        report(name, _line(run))
        results = folder.write_results()
        statuses = status_of(folder, sweep, alive=False)
        made, problem = None, ""
        if summary and "done" in statuses.values():
            say("making the summary")
            made, problem = _summarise(folder)
    return Outcome(statuses, results, made, problem)


def _look_around(sweep: Sweep, say: Callable[[str], None]) -> dict[str, Any]:
    """Find devices and weights, download what is to be had; the runs then look nowhere else."""
    # Of what `prepare` checks, each value once.
    checked = attrgetter(
        "pretrained_model", "image_size", "trainable", "weights", "augmentation", "schedule",
        "monitor",
    )  # fmt: skip
    distinct = {checked(config): config for config in sweep.configs.values()}
    try:
        around = kernels.call("gellib.sweeps.prepare:look_around", list(distinct.values()))
    except ValueError as err:
        raise SweepError(f"{err}; nothing was run") from err
    if around["package"] != gellib.__file__:
        raise SweepError(
            f"this command is the gellib of {gellib.__file__}, its kernels import that of "
            f"{around['package']}; nothing was run. Start it from another folder, or look at "
            "PYTHONPATH."
        )
    for (_, asked), info in around["weights"].items():
        # Who asks for none knows; the warning stands in the notebooks and the summary.
        if info["warning"] and asked != "none":
            say(f"WARNING: {info['warning']}")
    return around


def _reporter(sweep: Sweep, bar: tqdm, say: Callable[[str], None]) -> Callable[[str, str], None]:
    numbers = {name: number for number, name in enumerate(sweep.configs, start=1)}
    width = max(map(len, numbers))

    def report(name: str, text: str) -> None:
        say(f"[{numbers[name]:>3} of {len(numbers)}] {name:<{width}}  {text}")
        bar.update()

    return report


def _skip_missing(
    folder: SweepFolder,
    todo: dict[str, RunConfig],
    missing: dict[str, str],
    report: Callable[[str, str], None],
) -> dict[str, RunConfig]:
    """Put runs on record as skipped for which there is no device; return the others."""
    ready = {}
    for name, config in todo.items():
        if reason := missing.get(config.hardware_type):
            run = RunFolder(folder.path / name)
            run.clear()
            run.write_outcome(config, "skipped", reason)
            report(name, f"skipped: {reason}")
        else:
            ready[name] = config
    return ready


def _line(run: RunFolder) -> str:
    record = run.read_record()
    if record is None:
        return f"FAILED: {run.unreadable() or 'it left no record'}"
    if not record.done:
        return f"{record.status.upper()}: {record.reason:.200}"
    test, seconds = record.test, record.timings.total_s
    right = round(test["accuracy"] * test["n"])
    return f"{seconds:6.1f} s  test accuracy {test['accuracy']:6.1%} ({right} of {test['n']})"


def _summarise(folder: SweepFolder) -> tuple[Path | None, str]:
    try:
        execute(
            find_path(SUMMARY_NOTEBOOK), folder.summary, {"sweep_dir": os.path.relpath(folder.path)}
        )
    except NotebookError as err:
        return None, f"the summary failed: {err}; see {folder.summary}"
    return folder.summary, ""
