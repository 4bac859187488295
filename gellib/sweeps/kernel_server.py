"""One process that has imported torch, and the functions that run in forks of it.

A new interpreter spends seconds of processor time on importing torch, torchvision, scikit-learn and
seaborn, again for every run of a sweep. Here one server process imports them once; kernels and
other work that needs torch are forks of it, each a process of its own that starts in a moment.

Where fork is not safe (macOS, Windows) there is no server.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from gellib.base.temporary import socket_folder
from gellib.sweeps.server_start import nowhere, server_environment, uninterrupted, without_main

CAN_FORK = sys.platform.startswith("linux")

# In the server and its forks: why a library could not be loaded. A second try would say only that
# it is one.
failed_imports: list[str] = []

_alive: set[ForkedProcess] = set()
# To start a process changes the environment and settings of multiprocessing for a moment.
_starting = threading.RLock()


class ForkedProcess:
    """A function running in a fork of the preloaded server; looks like a `subprocess.Popen`.

    The process ends with the one that started it, however that one ends: it watches a pipe whose
    other end only the starting process holds.
    """

    stdin = stdout = stderr = None

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        context = _fork_context()
        theirs, self._lifeline = context.Pipe()
        self._process = context.Process(target=_in_fork, args=(theirs, os.getcwd(), target, args))
        with _starting, _children_allowed(), without_main():
            self._process.start()
        theirs.close()
        self.pid = self._process.pid
        _alive.add(self)

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        status = self._process.exitcode
        if status is not None:
            _alive.discard(self)
        return status

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end, at most `timeout` seconds."""
        self._process.join(timeout)
        return self.poll()

    def send_signal(self, signum: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        """Request its end (SIGTERM)."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self.send_signal(signal.SIGKILL)


def start_server(more: Sequence[str] = ()) -> None:
    """Start the server and its imports now, in the background; a no-op where fork is not safe.

    `more` are modules to import beside those that every run needs. A server that runs already has
    what it was started with.
    """
    if CAN_FORK:
        _fork_context()
        with _starting, server_environment(more), nowhere(), uninterrupted():
            forkserver.ensure_running()


def call(function: str, *args: Any, limit_s: float | None = None) -> Any:
    """Call a function, named `module:function`, in a forked process and return what it returns.

    For work that needs torch, in a process that should not import it, or that gains by the
    server's allocator. Where fork is not safe the function is called right here.

    Raises
    ------
    RuntimeError
        When the process died; exceptions of the function itself are raised as they are.
    TimeoutError
        When it took longer than `limit_s` seconds; the process is ended.
    """
    if not CAN_FORK:
        return _resolve(function)(*args)
    context = _fork_context()
    receiver, sender = context.Pipe(duplex=False)
    process = ForkedProcess(_send_result, sender, function, args)
    sender.close()
    if not receiver.poll(limit_s):
        process.kill()
        process.wait()
        raise TimeoutError(f"{function} was stopped at the time limit of {limit_s:g} s")
    try:
        succeeded, value = receiver.recv()
    except EOFError:
        status = process.wait()
        raise RuntimeError(
            f"{function} ended without an answer: its process died with exit status {status} "
            "(-9 is often: out of memory)"
        ) from None
    process.wait()
    if not succeeded:
        raise value
    return value


def _resolve(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)


def _send_result(sender: Connection, function: str, args: tuple[Any, ...]) -> None:
    try:
        answer = (True, _resolve(function)(*args))
    except Exception as err:  # it is raised again in the calling process
        first = isinstance(err, ImportError) and failed_imports
        answer = (False, ImportError(failed_imports[0]) if first else err)
    sender.send(answer)
    sender.close()


def _in_fork(
    lifeline: Connection, cwd: str, target: Callable[..., None], args: tuple[Any, ...]
) -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.chdir(cwd)

    def watch() -> None:
        with contextlib.suppress(EOFError, OSError):
            lifeline.recv()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()
    target(*args)


def _fork_context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gellib.sweeps.preload"])
    # The server's socket lies in the folder that multiprocessing would make, and leave when killed.
    config: dict[str, Any] = vars(multiprocessing.current_process())["_config"]
    config.setdefault("tempdir", socket_folder())
    return context


@contextlib.contextmanager
def _children_allowed() -> Iterator[None]:
    """Let a daemonic process (a Dask worker under its nanny) start processes.

    multiprocessing forbids it because such children could outlive the daemon; ours cannot.
    """
    start_server()
    config: dict[str, Any] = vars(multiprocessing.current_process())["_config"]
    daemonic = config.pop("daemon", None)
    try:
        yield
    finally:
        if daemonic is not None:
            config["daemon"] = daemonic


@atexit.register
def _kill_all() -> None:
    # Otherwise multiprocessing would wait for them at exit.
    for process in list(_alive):
        with contextlib.suppress(OSError):
            process.kill()
    # One that still imports would see only then that it is no longer needed, and hold up the exit.
    server = getattr(forkserver._forkserver, "_forkserver_pid", None)
    if server is not None and not multiprocessing.active_children():
        with contextlib.suppress(OSError):
            os.kill(server, signal.SIGKILL)
