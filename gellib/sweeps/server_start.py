"""How the process that forks kernels is started: its environment, folder, signals and main module.

multiprocessing offers no arguments for these: each is set in this process for a moment, while the
server starts, by a context manager.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver, resource_tracker, spawn
from typing import Any

from gellib.base.paths import PROJECT_ROOT, SHIPPED
from gellib.base.temporary import temporary_folder

SERVER_VARIABLE = "GELLIB_KERNEL_SERVER"  # set in the process that does nothing but fork
MODULES_VARIABLE = "GELLIB_PRELOAD"  # what else that process imports, separated by spaces

# Large allocations come from the heap, which keeps its memory, in huge pages where it can:
# by default glibc maps each one anew, and page faults take a quarter of vgg16's time.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


@contextlib.contextmanager
def server_environment(more: Sequence[str]) -> Iterator[None]:
    """Set what must be in the environment when the server starts and imports its modules.

    It is gone again for this process and for the kernels, which get the environment of the sweep.
    """
    ours = {
        SERVER_VARIABLE: "1",
        MODULES_VARIABLE: " ".join(more),
        # Its forks keep it: what a killed kernel leaves there goes with the folder.
        "TMPDIR": temporary_folder(),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's advice to who starts one
        "PYTHONPATH": os.pathsep.join(python_path()),
        # Threads that wait sleep: spinning ones take the cores from the other runs.
        "OMP_WAIT_POLICY": "PASSIVE",
        # The user's own settings of the allocator take precedence.
        **{name: value for name, value in ALLOCATOR.items() if name not in os.environ},
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def python_path() -> list[str]:
    """Let the server import what this process does, though it is started from another folder."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = [str(PROJECT_ROOT)] if SHIPPED == PROJECT_ROOT else []
    return [*ours, *(os.path.abspath(path) for path in given if path)]


@contextlib.contextmanager
def nowhere() -> Iterator[None]:
    """Start the server from the root folder: `python -c` imports from the current one first."""
    if getattr(forkserver._forkserver, "_forkserver_pid", None) is not None:
        yield
        return
    here = os.getcwd()
    os.chdir(os.sep)
    try:
        yield
    finally:
        os.chdir(here)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C at the terminal, which goes to all processes there, reach this one alone.

    The server inherits that it is blocked; it would end in a traceback while it imports.
    """
    resource_tracker.ensure_running()  # of multiprocessing: it would unblock signals
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def without_main() -> Iterator[None]:
    """Keep multiprocessing from running the caller's script again in the process that starts.

    What is called there is named in gellib. So scripts need no `if __name__ == "__main__"`.
    """
    prepare = spawn.get_preparation_data

    def without(name: str) -> dict[str, Any]:
        data = prepare(name)
        return {key: data[key] for key in data if not key.startswith("init_main_from_")}

    spawn.get_preparation_data = without
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare
