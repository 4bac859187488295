"""The command for a page for the lab: app."""

from __future__ import annotations

from pathlib import Path

import click

from gellib.cli.shared import Command


@click.command(cls=Command)
@click.argument("runs", type=click.Path(path_type=Path), default="runs")
@click.option("--ip", default="127.0.0.1", show_default=True,
              help="Where to listen; 0.0.0.0: for other machines too.")  # fmt: skip
@click.option("--port", default=8866, show_default=True, type=click.IntRange(1, 65535))
@click.option("--token", default="", help="What visitors have to know. [default: none on this "
              "machine, a random one for others]")  # fmt: skip
@click.option("--max-mb", default=50.0, show_default=True, type=click.FloatRange(0.1, 200),
              help="Largest upload at once.")  # fmt: skip
@click.option("--max-mpx", default=50.0, show_default=True, type=click.FloatRange(0.01, 100),
              help="Megapixels of the largest image.")  # fmt: skip
@click.option("--ready", default=1, show_default=True, type=click.IntRange(0, 16),
              help="Kernels that wait for visitors, with the model loaded.")  # fmt: skip
@click.option("--browser/--no-browser", default=True, help="Open the page here.")
def app(
    runs: Path,
    ip: str,
    port: int,
    token: str,
    max_mb: float,
    max_mpx: float,
    ready: int,
    browser: bool,
) -> None:
    """Serve the prediction form of RUNS as a page for the lab, by Voilà.

    Each visitor has a kernel of their own, which ends with the page, or after half an hour without
    use. They see neither code nor paths, and nobody else's images.
    """
    from gellib.base.paths import find_path
    from gellib.report.app.server import Served, serve
    from gellib.report.app.visitor_form import AppLimits

    limits = AppLimits(max_mb, max_mpx)
    serve(Served(find_path(runs), ip, port, token, limits, ready, browser))
