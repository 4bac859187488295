"""The commands for sweeps: new, sweep, list."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gellib.base.paths import in_shell, shown_path
from gellib.base.text import join_some
from gellib.cli.data import write_simulated
from gellib.cli.shared import (
    READING,
    Command,
    echo_wrapped,
    load,
    parameters,
    said_if_slow,
    says_if_slow,
)
from gellib.cli.status import describe_counts, print_runs


@click.command(cls=Command)
@click.argument("file", type=click.Path())
@parameters("Set a parameter for all runs; may be repeated.")
@click.option("--out", type=click.Path(), help="Folder of the results. [default: beside FILE]")
@click.option("--jobs", type=click.IntRange(1), help="Runs at once. [default: one per core]")
@click.option("--threads", type=click.IntRange(1), help="Threads of a run. [default: cores / jobs]")
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler, such as tcp://host:8786.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Wall-clock limit of one run.")
@click.option("--fresh", is_flag=True, help="Delete finished runs and start over.")
@click.option("--dry-run", is_flag=True, help="List runs and what they would refuse; run nothing.")
@click.option("--no-summary", is_flag=True, help="Leave out the summary notebook.")
@click.option("--quick", is_flag=True, help="A quick test: few images, two epochs, small input.")
@click.option("--yes", is_flag=True, help="Do not ask about more than 10,000 runs.")
@click.option("--allow-outside", is_flag=True, help="Let FILE name places outside the project.")
def sweep(
    file: str,
    overrides: dict[str, object],
    out: str | None,
    jobs: int | None,
    threads: int | None,
    scheduler: str | None,
    time_limit: float | None,
    fresh: bool,
    dry_run: bool,
    no_summary: bool,
    quick: bool,
    yes: bool,
    allow_outside: bool,
) -> None:
    """Run every configuration of a sweep FILE that is not done yet, then the summary.

    Stopped or killed, the same command resumes where it was. The exit status is 1 if a run failed.

    \b
    gellib sweep runs/gel.yaml
    gellib sweep runs/gel.yaml -p dataset_dir my/images --out runs/mine
    gellib sweep runs/gel.yaml --jobs 4 --time-limit 600
    gellib sweep runs/protein.yaml --quick

    A quick test has a folder of its own, such as runs/protein-quick. Where the images are
    missing, it makes a few simulated ones.
    """
    waiting = f"waiting for the folders of {shown_path(Path(file))} ..."
    loaded = says_if_slow(waiting)(load)(file, overrides, out, quick, yes, allow_outside)
    if dry_run:
        says_if_slow(waiting)(print_runs)(loaded)
        says_if_slow(waiting)(_refuse)(loaded, quick)
        return
    from gellib.sweeps.foresee import check_parameters
    from gellib.sweeps.kernel_server import start_server
    from gellib.sweeps.outlook import describe_work
    from gellib.sweeps.progress import print_line

    with said_if_slow(waiting):
        check_parameters(loaded, simulated=_stand_in_folder(loaded) if quick else "")
        work = describe_work(loaded, fresh=fresh, scheduler=scheduler)
    print_line(work)
    # It imports what the runs need, while this process imports its own.
    start_server(loaded.modules())
    if quick:
        _make_stand_in(loaded)
    from gellib.sweeps import run_sweep

    outcome = run_sweep(
        loaded,
        jobs=jobs,
        threads=threads,
        scheduler=scheduler,
        fresh=fresh,
        limit_s=time_limit,
        summary=not no_summary,
    )
    click.echo(describe_counts(outcome.counts))
    click.echo(f"results:  {shown_path(outcome.results)}")
    if outcome.summary:
        click.echo(f"summary:  {shown_path(outcome.page or outcome.summary)}")
        # With the folder: the best of all sweeps may be a model of other images.
        folder = in_shell(shown_path(outcome.results.parent))
        click.echo(f"predict:  gellib predict IMAGE --runs {folder}, or notebooks/4_predict.ipynb")
    if outcome.problem:
        click.echo(f"Error: {outcome.problem}", err=True)
    if outcome.counts.get("failed"):
        click.echo("failed runs keep their notebook, up to the cell that failed:", err=True)
        for name in outcome.failed:
            click.echo(f"  {shown_path(outcome.results.parent / name / 'train.ipynb')}", err=True)
    sys.exit(0 if outcome.ok else 1)


_MOST_NETWORKS = 5


@click.command("list", cls=Command)
@click.argument("folder", type=click.Path(), default="runs")
@says_if_slow(READING)
def list_(folder: str) -> None:
    """List the sweeps in FOLDER [default: runs]: size, networks, purpose."""
    from gellib.sweeps import SweepError, list_sweeps

    sweeps = list_sweeps(folder)
    if not sweeps:
        raise click.ClickException(f"no sweep files (*.yaml) in {folder}")
    for path, sweep in sweeps.items():
        if isinstance(sweep, SweepError):
            click.echo(shown_path(path))
            echo_wrapped(f"  cannot be read: {sweep}")
            click.echo()
            continue
        networks = dict.fromkeys(c.pretrained_model for c in sweep.configs.values())
        folders = dict.fromkeys(c.dataset_dir for c in sweep.configs.values())
        missing = sweep.missing_folders()
        images = ", ".join(f"{name} (not there)" if name in missing else name for name in folders)
        runs = f"{len(sweep.configs)} run{'s' if len(sweep.configs) > 1 else ''}"
        nets = join_some(networks, _MOST_NETWORKS)
        echo_wrapped(f"{shown_path(path)}  {runs}, {nets}; images: {images}")
        echo_wrapped(f"  {sweep.purpose or '(no purpose given)'}")
        click.echo()
    broken = sum(isinstance(sweep, SweepError) for sweep in sweeps.values())
    sys.exit(1 if broken else 0)


@click.command(cls=Command)
@click.argument("folder", type=click.Path(), metavar="FOLDER")
@click.option("--images", type=click.Path(), help="Folder of your images, for the sweep file.")
def new(folder: str, images: str | None) -> None:
    """Lay out a project in a new FOLDER: notebooks/, runs/ with a sweep of your images, dataset/.

    \b
    gellib new my_project --images my_images
    cd my_project && gellib sweep runs/my_images.yaml
    """
    from gellib.sweeps.new_project import make_project

    written = make_project(folder, images)
    click.echo(f"wrote {len(written)} files to {shown_path(folder)}")
    if images is None:
        click.echo(f"put your images into {shown_path(Path(folder, 'dataset', 'my_images'))}, then")
    click.echo(f"  cd {in_shell(shown_path(folder))}")
    click.echo("  gellib sweep runs/my_images.yaml")


def _refuse(loaded, quick: bool) -> None:
    """Say what the runs would refuse, and end with status 2 if there is anything."""
    from gellib.sweeps.foresee import foresee_refusals

    refusals = foresee_refusals(loaded, simulated=_stand_in_folder(loaded) if quick else "")
    for refusal in refusals:
        click.echo(f"Error: the sweep would be refused: {refusal}", err=True)
    if refusals:
        sys.exit(2)


def _stand_in_folder(loaded) -> str:
    """Name the folder of simulated images that a quick test makes where its own are missing."""
    return f"dataset/{loaded.system}-quick" if loaded.system else ""


_STAND_IN_SEED = 2  # with it, even so few images hold more than one of each label


def _make_stand_in(loaded) -> None:
    from gellib.base.paths import find_path
    from gellib.sweeps.quick import QUICK_IMAGES

    for folder in loaded.missing_folders():
        if folder == _stand_in_folder(loaded):
            click.echo(f"no images of {loaded.system} yet: making simulated ones in {folder}")
            count = QUICK_IMAGES // (2 if loaded.system == "gel" else 1)  # gel's is of a class
            write_simulated(loaded.system, find_path(folder), {"n": count}, _STAND_IN_SEED)
