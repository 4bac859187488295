"""The command export: a model as ONNX or as a page, or the runs of a sweep in a tracker."""

from __future__ import annotations

import click

from gellib.base.paths import shown_path
from gellib.cli.shared import Command, say_waiting


@click.command(cls=Command)
@click.argument("folder", type=click.Path(), metavar="FOLDER")
@click.option("--html", type=click.Path(dir_okay=False), help="Page to write: the model, offline.")
@click.option("--onnx", type=click.Path(dir_okay=False), help="ONNX file to write.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "int16", "fp16", "int8"]),
    help="How weights are stored. [default: int16 in the page, fp32 in ONNX]",
)
@click.option(
    "--to",
    type=click.Choice(["mlflow", "tensorboard"]),
    help="A tracker for the runs of a sweep; needs the extra `track`.",
)
@click.option("--out", type=click.Path(), help="Folder of the tracker. [default: in FOLDER]")
def export(
    folder: str,
    html: str | None,
    onnx: str | None,
    precision: str | None,
    to: str | None,
    out: str | None,
) -> None:
    """Export a model as one file, or the runs of a sweep to a tracker.

    \b
    gellib export runs/gel --html gel.html     a page that predicts; opens by a double click
    gellib export runs/gel --onnx gel.onnx     for programs; preparation of images inside
    gellib export runs/gel --to mlflow         parameters, metrics, curves, figures

    FOLDER is that of a run; of a folder of runs, the best is taken. Page and ONNX need the extra
    `export`; what they predict is compared with the run, on its own images.
    """
    if not (html or onnx or to):
        raise click.UsageError("nothing to write: give --html FILE, --onnx FILE or --to TRACKER")
    if out and not to:
        raise click.UsageError("--out is the folder of a tracker: give --to, or leave it out")
    if precision and not (html or onnx):
        raise click.UsageError("--precision is for --html and --onnx")
    if onnx or html:
        say_waiting("loading the model, and comparing what is exported with it ...")
    if onnx:
        from gellib.report.export import export_onnx

        _say(export_onnx(folder, onnx, precision or "fp32"))
    if html:
        from gellib.report.export import export_page

        _say(export_page(folder, html, precision or "int16"))
    if to:
        from gellib.report.trackers import export_sweep

        done = export_sweep(folder, to, out)
        click.echo(f"{done['runs']} runs exported to {shown_path(done['out'])}; to open them:")
        click.echo(f"  {done['view']}")


def _say(found) -> None:
    size = found.file.stat().st_size / 1e6
    click.echo(f"{shown_path(found.file)}: {size:.1f} MB, the model of {found.run}")
    click.echo(found.sentence())
