"""The Jupyter kernels of a sweep: forks of the server, or interpreters of their own.

The sweep passes `SweepKernelManager` to papermill; the user's Jupyter and plain papermill do not
use it. Wherever a kernel is started, it imports the gellib of the sweep, and what lies
in the current folder comes last (`kernel_main`).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from gellib.base.temporary import socket_folder
from gellib.sweeps import kernel_main, kernel_server
from gellib.sweeps.server_start import python_path


class ForkProvisioner(LocalProvisioner):
    """Starts a kernel by `ForkedProcess` instead of a new interpreter."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel that serves the connection file named in `cmd`."""
        connection_file, arguments = _split_command(cmd)
        env = dict(kwargs.get("env") or os.environ)
        cwd = str(kwargs.get("cwd") or os.getcwd())
        loop = asyncio.get_running_loop()
        # The first fork waits for the server's imports: seconds, not on the event loop.
        fork = partial(
            kernel_server.ForkedProcess,
            kernel_main.forked_kernel,
            connection_file,
            arguments,
            env,
            cwd,
        )
        process = await loop.run_in_executor(None, fork)
        self.process = cast("Popen[Any]", process)  # it has all of Popen that a kernel needs
        # The kernel makes a process group of its own, named by its pid.
        self.pid = self.pgid = process.pid
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info


class ScriptProvisioner(LocalProvisioner):
    """Starts a kernel as a new interpreter, this one's Python, that runs `kernel_main`."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Start an interpreter that serves the connection file named in `cmd`."""
        connection_file, arguments = _split_command(cmd)
        script = [sys.executable, os.path.abspath(kernel_main.__file__), "-f", connection_file]
        env = dict(kwargs.pop("env", None) or os.environ)
        env["PYTHONPATH"] = os.pathsep.join(python_path())
        return await super().launch_kernel([*script, *arguments], env=env, **kwargs)


def _split_command(cmd: list[str]) -> tuple[str, list[str]]:
    """Return the connection file and the further arguments of a kernel's command line."""
    position = cmd.index("-f") + 1
    return cmd[position], cmd[position + 1 :]


class SweepKernelManager(AsyncKernelManager):
    """A kernel manager with kernels of our own making; everything else is jupyter_client's own.

    Kernel and client of a fork communicate through Unix sockets in a private folder: two runs that
    look for a free TCP port at the same time sometimes find the same one.
    """

    def __init__(self, **kwargs: Any) -> None:
        if kernel_server.CAN_FORK:
            self._folder = tempfile.TemporaryDirectory(
                prefix="k-", dir=socket_folder(), ignore_cleanup_errors=True
            )
            kwargs |= {"transport": "ipc", "connection_file": f"{self._folder.name}/k.json"}
        super().__init__(**kwargs)

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        if self.provisioner is None:
            self.kernel_id = self.kernel_id or kw.get("kernel_id") or os.urandom(8).hex()
            kind = ForkProvisioner if kernel_server.CAN_FORK else ScriptProvisioner
            self.provisioner = kind(
                kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self
            )
        return await super()._async_pre_start_kernel(**kw)

    pre_start_kernel = _async_pre_start_kernel

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        # A server keeps the managers of kernels that have ended.
        if not restart and kernel_server.CAN_FORK:
            self._folder.cleanup()

    cleanup_resources = _async_cleanup_resources
