"""The command that writes results as a page: report."""

from __future__ import annotations

import click

from gellib.base.paths import find_path, shown_path
from gellib.cli.shared import Command, says_if_slow


@click.command(cls=Command)
@click.argument("folder", type=click.Path(), metavar="FOLDER")
@says_if_slow("making the page ...")
def report(folder: str) -> None:
    """Write the results in FOLDER as one HTML page that needs no other file, and print its path.

    \b
    gellib report runs/mine                a sweep's summary, made anew: summary.html
    gellib report runs/mine/01-resnet18    the notebook of one run: train.html
    """
    from gellib.runs import RunFolder, SweepFolder

    path = find_path(folder)
    sweep, run = SweepFolder(path), RunFolder(path)
    if run.notebook.is_file() or run.config.is_file():
        from gellib.sweeps.notebook_page import write_notebook_page

        click.echo(shown_path(write_notebook_page(run.notebook, run.page, run=path.name)))
    elif sweep.sweep.is_file() or sweep.run_folders():
        from gellib.sweeps.summary_files import make_summary

        made = make_summary(sweep)
        if made.problem:
            raise click.ClickException(made.problem)
        click.echo(shown_path(made.page or sweep.page))
    else:
        inside = sorted(p.parent for p in path.glob(f"*/{sweep.sweep.name}"))
        names = ", ".join(shown_path(own) for own in inside[:5])
        hint = f"; in it there are: {names}" if names else ""
        what = "has neither a sweep nor a run" if path.is_dir() else "is not a folder"
        raise click.ClickException(
            f"{shown_path(path)} {what}; expected the folder of a sweep, such as runs/mine, or of "
            f"one of its runs{hint}"
        )
