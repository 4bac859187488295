"""The command `gellib status`, and the list of runs that a dry run prints, too."""

from __future__ import annotations

import click

from gellib.base.paths import shown_path
from gellib.cli.shared import READING, Command, load, parameters, says_if_slow


@click.command(cls=Command)
@click.argument("file", type=click.Path(), metavar="FOLDER_OR_FILE")
@parameters("The parameters that the sweep FILE was given, if any.")
@click.option("--out", type=click.Path(), help="Folder of the results of FILE. [default: beside]")
@click.option("--quick", is_flag=True, help="Of the quick test of FILE.")
@says_if_slow(READING)
def status(file: str, overrides: dict[str, object], out: str | None, quick: bool) -> None:
    """Show what of a sweep is done, running, failed, skipped and to do, and what it does now.

    \b
    gellib status runs/mine         a sweep's results, whatever it was given
    gellib status runs/gel.yaml     a sweep file that has the parameters it was run with
    """
    from gellib.base.paths import find_path

    if not find_path(file).is_dir():
        print_runs(load(file, overrides, out, quick, many=True, outside=True))
        return
    if overrides or out or quick:
        raise click.UsageError(
            f"-p, --out and --quick belong to a sweep file, but {file} is a folder of results; "
            "leave them out"
        )
    from gellib.runs import SweepFolder
    from gellib.sweeps.plan import is_running, status_in

    folder = SweepFolder(find_path(file))
    if not folder.sweep.is_file() and not is_running(folder):
        raise click.ClickException(
            f"{shown_path(folder.path)} is not the folder of a sweep: it has no "
            f"{folder.sweep.name}; expected a folder that `gellib sweep` wrote, or a sweep file"
        )
    _list_statuses(folder, status_in(folder))


def print_runs(loaded) -> None:
    """List the runs of a sweep that was loaded, and what it does now."""
    from gellib.runs import SweepFolder
    from gellib.sweeps import status_of

    folder = SweepFolder(loaded.folder)
    _list_statuses(folder, status_of(folder, loaded))


def _list_statuses(folder, statuses: dict[str, str]) -> None:
    """List the runs of a sweep with their statuses, and what the sweep does now."""
    from collections import Counter

    from gellib.runs import RunFolder
    from gellib.sweeps.live_state import read_activities
    from gellib.sweeps.plan import is_running

    width = max(map(len, statuses), default=0)
    for name, state in statuses.items():
        run = RunFolder(folder.path / name)
        record = run.read_record()
        more = f"{record.reason:.120}" if record and state in ("failed", "skipped") else ""
        if record is None:
            more = str(run.unreadable() or "")
        elif state == "done":
            scores = record.scores
            more = f"{record.scored_on} accuracy {scores['accuracy']:.1%} of {scores['n']} images"
        click.echo(f"{name:<{width}}  {state:<8} {more}".rstrip())
    if statuses:
        click.echo(describe_counts(Counter(statuses.values())))
    if is_running(folder):
        for activity in read_activities(folder.live).values():
            click.echo(f"now: {activity}")


def describe_counts(counts: dict[str, int]) -> str:
    """Say how many runs have each status."""
    order = ("done", "running", "failed", "skipped", "to do")
    total = sum(counts.values())
    return f"{total} run{'' if total == 1 else 's'}: " + ", ".join(
        f"{counts[s]} {s}" for s in order if counts.get(s)
    )
