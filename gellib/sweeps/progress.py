"""The progress of a sweep: bars on a terminal, plain lines with the time where there is none."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from gellib.base.text import wrap_line
from gellib.runs import SweepFolder
from gellib.sweeps.live_state import (
    Activity,
    clear_activities,
    read_activities,
    write_activity,
)
from gellib.sweeps.spec import Sweep

REFRESH_S = 0.5
# Without a terminal, a line about what takes long, such as features: not more often than this.
LINE_EVERY_S = 30.0
_RUNS = "{desc} |{bar}| {n_fmt}/{total_fmt} runs, {elapsed} so far"
_IMAGES = "{desc} |{bar}| {n_fmt}/{total_fmt} {unit}{postfix}"
_FURTHER = " " * 11  # below what follows `[  1 of 24]`
_SWEEP = "0-sweep.json"  # what the sweep itself does stands before what its tasks do


def print_line(text: str) -> None:
    """Print a line above the bars of a terminal; elsewhere a line that begins with the time."""
    if sys.stdout.isatty():
        tqdm.write(wrap_line(text, shutil.get_terminal_size().columns, _FURTHER))
    else:
        print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


class Progress:
    """What a sweep does: lines, bars, and the files that `gellib status` reads."""

    def __init__(self, sweep: Sweep, log: Callable[[str], None]) -> None:
        self._log = log
        self._name = sweep.name
        self._numbers = {name: number for number, name in enumerate(sweep.configs, start=1)}
        self._width = max(map(len, self._numbers))
        self._live = SweepFolder(sweep.folder).live
        self._done = self._total = 0

    def __enter__(self) -> Progress:
        clear_activities(self._live)
        return self

    def __exit__(self, *_: object) -> None:
        clear_activities(self._live)

    def phase(self, text: str) -> None:
        """Log what the sweep does from now on."""
        self._log(text)
        write_activity(self._live / _SWEEP, Activity(text))

    def skipped(self, n: int, reason: str) -> None:
        """Log one line for all runs that are skipped for a reason; they are no work."""
        self._log(f"{n} {'run is' if n == 1 else 'runs are'} skipped: {reason}")

    @contextmanager
    def runs(self, total: int) -> Iterator[None]:
        """Show the progress of `total` runs, and of the features that they share, meanwhile."""
        self._done, self._total = 0, total
        self._note_runs()
        stop = threading.Event()
        watch = threading.Thread(target=self._watch, args=(stop,), daemon=True, name="progress")
        watch.start()
        try:
            yield
        finally:
            stop.set()
            watch.join()

    def ended(self, name: str, text: str) -> None:
        """Log a line about a run, and count it."""
        self._log(
            f"[{self._numbers[name]:>3} of {len(self._numbers)}] {name:<{self._width}}  {text}"
        )
        self._done += 1
        self._note_runs()

    def _note_runs(self) -> None:
        activity = Activity("", self._done, self._total, "runs done")
        write_activity(self._live / _SWEEP, activity)

    def _watch(self, stop: threading.Event) -> None:
        show = _Bars(self._name, self._total) if sys.stderr.isatty() else _Lines(self._log)
        while not stop.wait(REFRESH_S):
            tasks = read_activities(self._live)
            tasks.pop(_SWEEP, None)
            show.refresh(self._done, tasks)
        show.close()


class _Bars:
    """A bar of the runs, and below it one for each task that counts images."""

    def __init__(self, name: str, total: int) -> None:
        self._runs = _bar(name, total, _RUNS)
        self._tasks: dict[str, Any] = {}

    def refresh(self, done: int, tasks: dict[str, Activity]) -> None:
        """Draw all bars as they are now."""
        for name in set(self._tasks) - set(tasks):
            self._tasks.pop(name).close()
        for name, task in tasks.items():
            if name not in self._tasks:
                self._tasks[name] = _bar(task.what, task.total, _IMAGES, unit=task.unit)
            bar = self._tasks[name]
            bar.set_description_str(task.what, refresh=False)
            bar.n, bar.total = task.done, task.total
            bar.set_postfix_str(task.left.removeprefix(", "), refresh=False)
            bar.refresh()
        self._runs.n = done
        self._runs.refresh()

    def close(self) -> None:
        """Remove the bars."""
        for bar in (*self._tasks.values(), self._runs):
            bar.close()


class _Lines:
    """A line about each task that counts images, once in a while."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._last: dict[str, float] = {}

    def refresh(self, done: int, tasks: dict[str, Activity]) -> None:
        """Log the tasks of which nothing was said for a while."""
        now = time.monotonic()
        for name, task in tasks.items():
            if now - self._last.setdefault(name, now) >= LINE_EVERY_S:
                self._last[name] = now
                self._log(str(task))

    def close(self) -> None:
        """Nothing is left to remove."""


def _bar(title: str, total: int, form: str, **options: Any) -> Any:
    return tqdm(total=total, desc=title, bar_format=form, leave=False, **options)
