"""Whether the workers of a cluster run the gellib of the sweep's command.

A worker may be another machine, another environment, or a process that imported gellib before its
source was changed. Its results would be those of another program, under this one's name.
"""

from __future__ import annotations

import functools
import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import gellib
from gellib.base.paths import PACKAGE_DIR
from gellib.base.text import join_some
from gellib.config import RunConfig
from gellib.sweeps.sweep_file import SweepError

_SOURCES = ("*.py", "*.pyi")  # lazy imports read the stubs
_SHOWN_DIGITS = 12
_SHOWN_WORKERS = 3


class OtherPackageError(RuntimeError):
    """A worker has another gellib than the sweep's command; the message says which."""


@dataclass(frozen=True)
class PackageFacts:
    """Which gellib a process runs, and by which Python and torch.

    `source` is a hash over the package's source files, by which packages are compared: it may lie
    elsewhere on another machine, and a clone keeps its version while it changes.
    """

    file: str
    version: str
    source: str
    python: str
    torch: str

    def __str__(self) -> str:
        return f"gellib {self.version} at {self.file} (source {self.source[:_SHOWN_DIGITS]})"


@functools.cache
def package_facts() -> PackageFacts:
    """Name the gellib of this process.

    It is read once: what was imported is what counts, though the files may change later.
    """
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = "none"
    return PackageFacts(
        file=gellib.__file__,
        version=gellib.__version__,
        source=hash_source(PACKAGE_DIR),
        python=platform.python_version(),
        torch=torch,
    )


def hash_source(folder: Path) -> str:
    """Hash names and texts of the source files below a folder, whatever their line ends."""
    found = hashlib.sha256()
    files = {
        path.relative_to(folder).as_posix(): path for p in _SOURCES for path in folder.rglob(p)
    }
    for name, path in sorted(files.items()):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{name}\0{len(text)}\0".encode() + text)
    return found.hexdigest()


def for_same_package(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a task refuse to start where the package is not that of the sweep's command.

    The task takes one more argument, `package`: the facts of the command's package. Workers that
    join after `check_workers` are checked by it.

    Raises
    ------
    OtherPackageError
        By the task, where the package is another one.
    """

    @functools.wraps(function)
    def task(config: RunConfig, *, package: PackageFacts, **options: Any) -> Any:
        here = package_facts()
        if here.source != package.source:
            raise OtherPackageError(
                f"a worker on {platform.node()} has {here}, this command has {package}"
            )
        return function(config, **options)

    return task


def check_workers(client: Any, log: Callable[[str], None]) -> None:
    """Refuse a cluster that has workers with another gellib than this process.

    Parameters
    ----------
    client
        Connected client of the Dask cluster.
    log
        Takes a line for each worker of another Python or torch: numbers may then differ a little.

    Raises
    ------
    SweepError
        When a worker has another gellib, or cannot name its own.
    """
    here = package_facts()
    others = []
    for worker, facts in client.run(package_facts, on_error="return").items():
        if isinstance(facts, Exception):
            others.append(f"{worker} cannot name its gellib ({type(facts).__name__}: {facts})")
        elif facts.source != here.source:
            others.append(f"{worker} has {facts}")
        elif (facts.python, facts.torch) != (here.python, here.torch):
            log(
                f"NOTE: worker {worker} has Python {facts.python} and torch {facts.torch}, this "
                f"command Python {here.python} and torch {here.torch}"
            )
    if others:
        raise SweepError(explain_difference(join_some(others, _SHOWN_WORKERS), "nothing was run"))


def explain_difference(found: str, so_far: str) -> str:
    """Describe what differs, what was done, and what to do about it, in one sentence."""
    return (
        f"workers must have the gellib of this command, which is {package_facts()}, but {found}; "
        f"{so_far}: install the same gellib for them, restart them, and give the same command again"
    )
