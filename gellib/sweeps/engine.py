"""papermill's engine with a sweep's kernels, a limit on the whole notebook, and fewer saves."""

from __future__ import annotations

import os
import threading
from typing import Any

import gellib.base.notebook_files  # noqa: F401 - before papermill, which imports nbformat

# isort: split
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines

from gellib.sweeps.kernels import SweepKernelManager

_SAVE_EVERY_S = 5.0
ENGINE = "gellib"


class NotebookError(RuntimeError):
    """The notebook did not run to its end; `error` has the cell and the reason."""

    def __init__(self, reason: str, error: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.error = error


class _LimitedEngine(NBClientEngine):
    """papermill's engine, with a limit on the whole notebook and not only on each cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **kwargs):
        limit_s = kwargs.pop("limit_s")
        kernel_env = kwargs.pop("kernel_env")
        for name in ("input_path", "start_timeout", "execution_timeout"):
            kwargs.pop(name, None)
        client = PapermillNotebookClient(
            nb_man,
            kernel_name=kernel_name,
            kernel_manager_class=SweepKernelManager,
            startup_timeout=300,  # the first one waits for the imports of the server
            timeout=None,
            **kwargs,
        )
        _save_seldom(nb_man)
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            provisioner = getattr(client.km, "provisioner", None)
            if provisioner is not None and provisioner.process is not None:
                provisioner.process.kill()

        timer = threading.Timer(limit_s, stop) if limit_s else None
        if timer:
            timer.daemon = True
            timer.start()
        try:
            client.execute(env={**os.environ, **kernel_env})
        except Exception as err:
            if timed_out.is_set():
                raise NotebookError(f"stopped at the time limit of {limit_s:g} s") from err
            raise
        finally:
            if timer:
                timer.cancel()
            del nb_man.save  # the last one is papermill's own


def _save_seldom(nb_man: NotebookExecutionManager) -> None:
    """Save the notebook every few seconds instead of before and after each cell.

    Of a short run that took a tenth of the time, in the process that all the runs share.
    """
    save = nb_man.save

    def seldom() -> None:
        if (nb_man.now() - nb_man.last_save_time).total_seconds() >= _SAVE_EVERY_S:
            save()

    nb_man.save = seldom


papermill_engines.register(ENGINE, _LimitedEngine)
