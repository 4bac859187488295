"""Running a sweep: what is not done yet goes to Dask, one notebook per configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import gellib
from gellib.base.files import delete_leftovers, write_json
from gellib.config import RunConfig
from gellib.runs import RunFolder, SweepFolder
from gellib.sweeps import kernel_server
from gellib.sweeps.cluster import PlannedRun
from gellib.sweeps.connection import check_cluster, connect
from gellib.sweeps.data_check import FolderChecks
from gellib.sweeps.feature_tasks import feature_key
from gellib.sweeps.machine import Machine
from gellib.sweeps.plan import FoundImages, find_sweep_images, locked, plan, status_of
from gellib.sweeps.progress import Progress, print_line
from gellib.sweeps.skipping import skip_impossible
from gellib.sweeps.spec import Sweep
from gellib.sweeps.summary_files import MadeSummary, make_summary
from gellib.sweeps.sweep_file import SweepError
from gellib.sweeps.unreadable import refuse_unreadable

# The sweep has tried to download weights already; a run must not try again.
RUN_ENV = {"GELLIB_WEIGHTS_TIMEOUT_S": "0"}


@dataclass(frozen=True)
class Outcome:
    """How a sweep ended: its runs by name with their status, and where the results are.

    `summary` is the executed notebook and `page` the same as a page, where they were made.
    """

    statuses: dict[str, str]
    results: Path
    summary: Path | None
    problem: str = ""
    page: Path | None = None

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
    log: Callable[[str], None] = print_line,
) -> Outcome:
    """Run what is not done yet, then write `results.csv` and the summary.

    Parameters
    ----------
    sweep
        The sweep, as `load_sweep` returns it.
    jobs, threads
        Runs at once, by default one per core, and threads of each, by default the cores divided by
        the runs. Their product never exceeds the cores. Features are computed with all cores.
    scheduler
        Address of a Dask scheduler; by default a local one, in this process.
    fresh
        Delete earlier results of these runs.
    limit_s
        Wall-clock limit for one run, seconds.
    summary
        Execute the summary notebook at the end.
    log
        Takes a line of progress; by default it is printed, with the time where there is no
        terminal.

    Raises
    ------
    SweepError
        Before anything is run: another sweep runs in the folder, finished runs there are of
        another configuration, the images cannot be read, or workers have another gellib.
        Later, when the scheduler is lost or a worker with another gellib has joined.
    """
    kernel_server.start_server(sweep.modules())
    folder = SweepFolder(sweep.folder)
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        progress = stack.enter_context(Progress(sweep, log))
        # Of an earlier command that was killed: this one holds the folder.
        for place in (folder.path, folder.figures):
            delete_leftovers(place)
        progress.phase("reading the images, and loading torch")
        images = find_sweep_images(sweep)
        checked = {key[:2]: found.fingerprint for key, found in images.items() if summary}
        checks = stack.enter_context(FolderChecks(folder, checked))
        machine = _probe_machine(sweep, log)
        missing = check_cluster(scheduler, log) if scheduler else machine.missing
        if fresh:
            for name in sweep.configs:
                RunFolder(folder.path / name).clear()
        todo = plan(sweep, folder, images, machine.weights)
        refuse_unreadable(todo.values())
        write_json(folder.sweep, sweep.describe())
        ready = skip_impossible(folder, todo, machine, missing, progress)
        tasks = _tasks(folder, ready, machine, images)
        if tasks:
            with (
                connect(scheduler, jobs=jobs, threads=threads, gpus=machine.gpus) as cluster,
                progress.runs(len(tasks)),
            ):
                ended = cluster.run(
                    tasks, notebook=sweep.notebook, limit_s=limit_s, env=RUN_ENV, log=log
                )
                _collect(ended, tasks, progress)
        results = folder.write_results()
        statuses = status_of(folder, sweep, alive=False)
        made = MadeSummary()
        if summary and "done" in statuses.values():
            checks.finish(progress.phase)
            progress.phase("making the summary")
            made = make_summary(folder)
    return Outcome(statuses, results, made.notebook, made.problem, made.page)


def _probe_machine(sweep: Sweep, log: Callable[[str], None]) -> Machine:
    """Find devices and weights, and download weights; the runs then use these alone."""
    # Of what `prepare` checks, each value once.
    checked = attrgetter(
        "pretrained_model", "image_size", "trainable", "weights", "augmentation", "schedule",
        "monitor",
    )  # fmt: skip
    distinct = {checked(config): config for config in sweep.configs.values()}
    try:
        machine = kernel_server.call("gellib.sweeps.prepare:probe_machine", list(distinct.values()))
    except ValueError as err:
        raise SweepError(f"{err}; nothing was run") from err
    if machine.package != gellib.__file__:
        raise SweepError(
            f"this command is the gellib of {gellib.__file__}, its kernels import that of "
            f"{machine.package}; nothing was run. Start it from another folder, or correct "
            "PYTHONPATH."
        )
    for (_, wanted), info in machine.weights.items():
        # With `weights: none` it is known; the warning stands in the notebooks and the summary.
        if info["warning"] and wanted != "none":
            log(f"WARNING: {info['warning']}")
    return machine


def _tasks(
    folder: SweepFolder,
    ready: dict[str, RunConfig],
    machine: Machine,
    images: dict[tuple[str, str, str], FoundImages],
) -> dict[str, PlannedRun]:
    """Name for each run its folder, the features that it shares, and how many images they have."""
    tasks = {}
    for name, config in ready.items():
        own = images[config.image_folders]
        fingerprint, weights = own.fingerprint + own.extra, machine.weights_of(config)
        key = feature_key(config, fingerprint, weights, machine.computing)
        tasks[name] = PlannedRun(folder.path / name, config, key, own.count)
    return tasks


def _collect(
    ended: Iterable[tuple[str, str]], tasks: dict[str, PlannedRun], progress: Progress
) -> None:
    """Report runs as they end; what no record holds yet, such as a lost worker, is recorded."""
    for name, problem in ended:
        run = RunFolder(tasks[name].folder)
        if problem:
            run.write_outcome(tasks[name].config, "failed", problem)
        progress.ended(name, _line(run))


def _line(run: RunFolder) -> str:
    record = run.read_record()
    if record is None:
        return f"FAILED: {run.unreadable() or 'it left no record'}"
    if not record.done:
        return f"{record.status.upper()}: {record.reason:.200}"
    scores, task = record.scores, record.task
    value, what = scores[task.headline], f"{record.scored_on} {task.headline_words}"
    text = f"{record.timings.total_s:6.1f} s  {what} {value:6.1%}"
    count = value * scores["n"]
    about = "" if abs(count - round(count)) < 1e-6 * scores["n"] else "about "
    return f"{text} ({about}{round(count)} of {scores['n']})" if task.exclusive else text
