"""Jupyter kernels forked from a process that has already imported torch.

A new kernel spends seconds of processor time on importing torch, torchvision, scikit-learn and
seaborn, again for every run of a sweep. Here one server process imports them once, and each
kernel is a fork of it: a process of its own, with clean interpreter state, up in a moment.

`ForkedKernelManager` is handed to papermill by the sweep; the user's Jupyter and plain papermill
know nothing of it. Where fork is not safe (macOS, Windows) it starts ordinary kernels.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import Popen
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from gellib.base.paths import PROJECT_ROOT, SHIPPED

CAN_FORK = sys.platform.startswith("linux")
LOG_VARIABLE = "GELLIB_KERNEL_LOG"  # file that takes what a kernel prints outside its notebook
THREADS_VARIABLE = "GELLIB_THREADS"
SERVER_VARIABLE = "GELLIB_KERNEL_SERVER"  # set in the process that does nothing but fork kernels

# Large allocations come from the heap, which keeps what it has got, in huge pages where it can:
# by default glibc maps each one anew, and page faults take a quarter of vgg16's time.
ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}

_alive: set[ForkedProcess] = set()


class ForkedProcess:
    """A function running in a fork of the preloaded server; looks like a `subprocess.Popen`.

    The process dies with the one that asked for it, however that one ends: it watches a pipe
    whose other end only the asking process holds.
    """

    stdin = stdout = stderr = None

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        context = _fork_context()
        theirs, self._lifeline = context.Pipe()
        self._process = context.Process(target=_in_fork, args=(theirs, os.getcwd(), target, args))
        with _children_allowed():
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
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class ForkProvisioner(LocalProvisioner):
    """Starts a kernel by `ForkedProcess` instead of a new interpreter."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel that serves the connection file named in `cmd`."""
        connection_file = cmd[cmd.index("-f") + 1]
        extra = [argument for argument in cmd[cmd.index("-f") + 2 :]]
        env = dict(kwargs.get("env") or os.environ)
        cwd = str(kwargs.get("cwd") or os.getcwd())
        loop = asyncio.get_running_loop()
        # The first fork waits for the server's imports: seconds, not on the event loop.
        fork = partial(ForkedProcess, _kernel_main, connection_file, extra, env, cwd)
        process = await loop.run_in_executor(None, fork)
        self.process = cast("Popen[Any]", process)  # it has all of Popen that a kernel needs
        # The kernel makes a process group of its own, named by its pid.
        self.pid = self.pgid = process.pid
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info


class ForkedKernelManager(AsyncKernelManager):
    """A kernel manager whose kernels are forks; everything else is jupyter_client's own.

    Kernel and client talk through Unix sockets in a private folder: free TCP ports, looked for by
    several runs at once, are sometimes found twice.
    """

    def __init__(self, **kwargs: Any) -> None:
        if CAN_FORK:
            self._folder = tempfile.TemporaryDirectory(prefix="gellib-", ignore_cleanup_errors=True)
            kwargs |= {"transport": "ipc", "connection_file": f"{self._folder.name}/kernel.json"}
        super().__init__(**kwargs)

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        if CAN_FORK and self.provisioner is None:
            self.kernel_id = self.kernel_id or kw.get("kernel_id") or os.urandom(8).hex()
            self.provisioner = ForkProvisioner(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kw)

    pre_start_kernel = _async_pre_start_kernel


def start_server() -> None:
    """Start the server and its imports now, in the background; a no-op where fork is not safe."""
    if CAN_FORK:
        _fork_context()
        with _server_environment(), _nowhere():
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
        answer = (False, err)
    sender.send(answer)
    sender.close()


def _kernel_main(connection_file: str, extra: list[str], env: dict[str, str], cwd: str) -> None:
    from ipykernel.kernelapp import IPKernelApp

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    # The lifeline ends this process with its owner; the parent, the server, says nothing of it.
    os.environ.pop("JPY_PARENT_PID", None)
    log = os.open(env.get(LOG_VARIABLE) or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    if threads := env.get(THREADS_VARIABLE):
        import torch

        # OMP_NUM_THREADS was read when torch was imported, before the fork.
        torch.set_num_threads(int(threads))
        # Likewise numpy's and scikit-learn's: two runs whose BLAS takes all cores, and waits in
        # a loop, hold each other up for seconds.
        from threadpoolctl import threadpool_limits

        threadpool_limits(int(threads))
    # A notebook starts like a script: no arguments, modules of its folder can be imported.
    # They come last: a `random.py` or `gellib/` that lies there is not to stand in for another.
    sys.argv = ["ipykernel"]
    sys.path.append("")
    # What a sweep runs is none of the user's history.
    extra.append("--HistoryManager.enabled=False")
    IPKernelApp.launch_instance(argv=["-f", connection_file, *extra])


def _in_fork(
    lifeline: Connection, cwd: str, target: Callable[..., None], args: tuple[Any, ...]
) -> None:
    os.setsid()
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
    return context


@contextlib.contextmanager
def _server_environment() -> Iterator[None]:
    """Set what must be in the environment when the server starts and imports its modules.

    It is gone again for this process and for the kernels, which get the environment of the sweep.
    """
    ours = {
        SERVER_VARIABLE: "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's advice to who starts one
        "PYTHONPATH": os.pathsep.join(_python_path()),
        # Threads that wait sleep: spinning ones take the cores from the other runs.
        "OMP_WAIT_POLICY": "PASSIVE",
        # Whoever has tuned the allocator himself knows why.
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


def _python_path() -> list[str]:
    """Let the server import what this process does, though it is started from another folder."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    ours = [str(PROJECT_ROOT)] if SHIPPED == PROJECT_ROOT else []
    return [*ours, *(os.path.abspath(path) for path in given if path)]


@contextlib.contextmanager
def _nowhere() -> Iterator[None]:
    """Stand in no project while the server is started: `python -c` imports from where it stands."""
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
    # multiprocessing would wait for them at exit.
    for process in list(_alive):
        with contextlib.suppress(OSError):
            process.kill()
