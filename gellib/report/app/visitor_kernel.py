"""The kernel of a visitor: a fork of a process that has imported all that the form needs."""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.kernelmanager import ServerKernelManager

from gellib.sweeps.kernels import SweepKernelManager


class VisitorKernelManager(SweepKernelManager, ServerKernelManager):
    """Starts kernels as a sweep does, for Voilà.

    A new interpreter takes some ten seconds of processor time for its imports, just when the
    visitor who took the last kernel waits for a prediction.
    """

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict[str, Any]]:
        # What a kernel writes to its log is for the server's, not for the page.
        kw["extra_arguments"] = ["--IPKernelApp.capture_fd_output=False"]
        return await super()._async_pre_start_kernel(**kw)
