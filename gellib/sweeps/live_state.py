"""What a sweep is doing now: small files in its folder, which tasks write and others read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from gellib.base.files import write_json

# A reader sees a change within a second, and a slow disk is not kept busy.
WRITE_EVERY_S = 0.5


@dataclass(frozen=True)
class Activity:
    """One thing that a sweep is doing, and how much of it is done; `total` 0: not countable.

    `left_s` are the seconds that are left, None where nothing says so yet.
    """

    what: str
    done: int = 0
    total: int = 0
    unit: str = ""
    left_s: float | None = None

    def __str__(self) -> str:
        if not self.total:
            return self.what
        what = f"{self.what}: " if self.what else ""
        return f"{what}{self.done} of {self.total} {self.unit}{self.left}"

    @property
    def left(self) -> str:
        """Say how much time is left, such as `, 0:40 left`; empty where that is not known."""
        if self.left_s is None:
            return ""
        minutes, seconds = divmod(round(self.left_s), 60)
        hours, minutes = divmod(minutes, 60)
        clock = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
        return f", {clock} left"


class ActivityFile:
    """A progress bar that is written to a file, at most twice per second, instead of drawn.

    Parameters
    ----------
    path
        The file; it is deleted when the bar is closed.
    total
        How much there is to do.
    desc
        What is done.
    unit
        What is counted.
    """

    def __init__(self, path: Path, *, total: int, desc: str, unit: str) -> None:
        self.n = 0
        self._path, self._total, self._what, self._unit = path, total, desc, unit
        self._started = time.monotonic()
        self._written = -WRITE_EVERY_S

    def __enter__(self) -> ActivityFile:
        self._write(self._started)
        return self

    def __exit__(self, *_: object) -> None:
        remove_activity(self._path)

    def update(self, n: int = 1, /) -> None:
        """Count `n` more."""
        self.n += n
        now = time.monotonic()
        if now - self._written >= WRITE_EVERY_S:
            self._write(now)

    def _write(self, now: float) -> None:
        self._written = now
        left = (now - self._started) / self.n * (self._total - self.n) if self.n else None
        write_activity(self._path, Activity(self._what, self.n, self._total, self._unit, left))


def write_activity(path: Path, activity: Activity) -> None:
    """Write what is being done; a disk that refuses does not stop the work itself."""
    with contextlib.suppress(OSError):
        write_json(path, asdict(activity))


def remove_activity(path: Path) -> None:
    """Delete the file of what has ended, also where it is not there or cannot be deleted."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def read_activities(folder: Path) -> dict[str, Activity]:
    """Return what the tasks of a sweep do, by the names of their files, in the names' order."""
    found = {}
    try:
        names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return {}
    for name in names:
        try:
            values = json.loads((folder / name).read_text(encoding="utf-8"))
            found[name] = Activity(**values)
        except (OSError, ValueError, TypeError):  # it ended meanwhile, or is no file of ours
            continue
    return found


def clear_activities(folder: Path) -> None:
    """Delete what tasks left behind, such as those of a sweep that was killed."""
    shutil.rmtree(folder, ignore_errors=True)
