"""Serve the form by Voilà: each visitor has a kernel of their own, and sees no code."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gellib.base.files import write_text
from gellib.base.notebook_files import nbformat
from gellib.report.app.page_head import IDLE_S
from gellib.report.app.server_log import log_settings
from gellib.report.app.visitor_form import VARIABLE, AppLimits, as_variable
from gellib.sweeps import kernel_main, kernel_server
from gellib.training_run.find_runs import PredictorError, list_runs, no_runs

# Voilà's page links fonts and a drawing program of other servers: a page for the lab asks nobody.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'self'",
    )
)
# What a form imports beside what runs do.
_NEEDED = (
    "gellib.labsim.zeroshot",
    "gellib.report.app.page_head",
    "gellib.report.app.visitor_form",
)
# What surrounds the bytes of an upload in its message.
_OVERHEAD = 1 << 20
_PAGE = """
from IPython.display import HTML, display
from gellib.report.app.page_head import page_head
from gellib.report.app.visitor_form import show_form
display(HTML(page_head()))
display(show_form())
"""


class AppError(ValueError):
    """The page cannot be served; the message says why and what to do."""

    exit_status = 2


@dataclass(frozen=True)
class Served:
    """What is served, and where.

    Parameters
    ----------
    runs
        Folder with runs or sweeps.
    ip, port
        Where to listen.
    token
        What visitors have to know; empty: none on this machine, and a random one elsewhere.
    limits
        What visitors may upload.
    ready
        Kernels that wait for visitors with the model loaded.
    open_browser
        Whether to open the page here.
    """

    runs: Path
    ip: str = "127.0.0.1"
    port: int = 8866
    token: str = ""
    limits: AppLimits = AppLimits()
    ready: int = 1
    open_browser: bool = True

    @property
    def local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.ip == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.ip).is_loopback
        except ValueError:
            return False

    def config(self) -> dict[str, dict[str, Any]]:
        """Return the settings of Voilà."""
        drawn = {} if self.local else {"auto_token": True}  # nosec B105
        token = {"token": self.token} if self.token else drawn
        largest = self.limits.max_bytes + _OVERHEAD
        return {
            "Voila": {
                "ip": self.ip,
                "port": self.port,
                "open_browser": self.open_browser,
                "logging_config": log_settings(),
                # A larger message closes the connection: the page refuses such files before.
                "tornado_settings": {
                    "websocket_max_message_size": largest,
                    "headers": {"Content-Security-Policy": _POLICY},
                },
                **token,
            },
            "VoilaConfiguration": {
                "preheat_kernel": self.ready > 0,
                "default_pool_size": self.ready,
                "strip_sources": True,
                "show_tracebacks": False,
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "file_allowlist": [],
            },
            "MappingKernelManager": {
                "kernel_manager_class": "gellib.report.app.visitor_kernel.VisitorKernelManager",
                "cull_idle_timeout": IDLE_S,
                "cull_interval": 60,
                "cull_connected": True,
            },
        }


def serve(served: Served) -> None:
    """Serve the form until the command is stopped.

    Raises
    ------
    AppError
        When Voilà is not installed.
    PredictorError
        When no run has finished.
    """
    if importlib.util.find_spec("voila") is None:
        raise AppError("gellib app needs Voilà: pip install 'gellib[app]'")
    if not list_runs(served.runs):
        raise PredictorError(no_runs(served.runs))
    from traitlets.config import Config
    from voila.app import Voila

    os.environ[VARIABLE] = as_variable(served.runs.resolve(), served.limits)
    os.environ[kernel_main.LOG_VARIABLE] = kernel_main.INHERITED
    # What forms need is imported once: a kernel is a fork, up in a second.
    kernel_server.start_server(_NEEDED)
    with tempfile.TemporaryDirectory(prefix="gellib-app-") as folder:
        notebook = Path(folder) / "gellib.ipynb"
        write_text(notebook, nbformat.writes(_notebook()))
        Voila.launch_instance(argv=[str(notebook)], config=Config(served.config()))


def _notebook() -> nbformat.NotebookNode:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(_PAGE.strip())]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
