"""What commands share: options, loading a sweep file, and finding the model that predicts."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from gellib.base.text import wrap_line

if TYPE_CHECKING:
    from gellib.training_run.predictor import Predictor


def say_waiting(text: str) -> None:
    """Say in a terminal what takes some seconds, before anything slow is imported."""
    if sys.stderr.isatty():
        click.echo(text, err=True)


def terminal_width() -> int:
    """Return the columns of the terminal; 0 where the output is no terminal, which has no width."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def echo_wrapped(text: str, indent: int = 2) -> None:
    """Print a paragraph within the width of the terminal; `indent` is that of its further lines."""
    width = terminal_width()
    click.echo(wrap_line(text, width, " " * indent) if width else text)


@contextlib.contextmanager
def said_if_slow(text: str, *, after_s: float = 5.0) -> Iterator[None]:
    """Say what is waited for once that takes long, as for a network folder that does not answer."""
    timer = threading.Timer(after_s, click.echo, (text,), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Command(click.Command):
    """A command that says in a terminal what it waits for while it reads its arguments.

    click looks at every path that is named, before the command itself begins.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        if not sys.stderr.isatty():
            return super().parse_args(ctx, args)
        with said_if_slow(LOOKING):
            return super().parse_args(ctx, args)


LOOKING = "looking at what the command names; a network folder may be slow to answer ..."
READING = "reading the results; a network folder may be slow to answer ..."


def says_if_slow(text: str) -> Callable[[Callable], Callable]:
    """Make a command say in a terminal what it does, where that takes long."""

    def with_words(command: Callable) -> Callable:
        @functools.wraps(command)
        def called(*args: Any, **options: Any) -> Any:
            if not sys.stderr.isatty():
                return command(*args, **options)
            with said_if_slow(text):
                return command(*args, **options)

        return called

    return with_words


def parameters(help: str) -> Callable:
    """Make the option -p NAME VALUE, which may be repeated, the argument `overrides`."""
    return click.option(
        "-p",
        "--parameter",
        "overrides",
        type=(str, str),
        multiple=True,
        metavar="NAME VALUE",
        callback=_by_name,
        help=help,
    )


def _by_name(ctx: click.Context, option: click.Option, pairs: tuple) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            problem = f"{name} is given twice, as {found[name]!r} and {value!r}; give it once"
            raise click.BadParameter(problem, ctx, option)
        found[name] = _scalar(value)
    return found


def _scalar(value: str) -> object:
    """Read a value as papermill's -p does: numbers and booleans are such, the rest is text."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(value.lower(), value)


def load(
    file: str,
    overrides: dict[str, object],
    out: str | None,
    quick: bool,
    many: bool,
    outside: bool = False,
):
    """Load a sweep; a quick one without its images has simulated ones instead.

    Parameters
    ----------
    file
        The sweep file.
    overrides
        Parameters set for all runs.
    out
        Folder of the results; None: beside the file.
    quick
        Whether it is a quick test.
    many
        Whether more than 10,000 runs are meant; otherwise a person at a terminal is asked.
    outside
        Whether its runs may write outside of the project and of `out`.
    """
    from gellib.sweeps import load_sweep
    from gellib.sweeps.repeats import TooManyRunsError

    options: dict[str, Any] = {"out": out, "quick": quick, "outside": outside}
    try:
        loaded = load_sweep(file, overrides=overrides, many=many, **options)
    except TooManyRunsError as err:
        if not sys.stdin.isatty() or not click.confirm(f"{err}. Go on?", err=True):
            raise
        return load(file, overrides, out, quick, True, outside)
    given = not loaded.system or "dataset_dir" in overrides
    if not quick or given or not loaded.missing_folders():
        return loaded
    overrides = {**overrides, "dataset_dir": f"dataset/{loaded.system}-quick"}
    return load_sweep(file, overrides=overrides, many=many, **options)


def which_model(command: Callable) -> Callable:
    """Add the options --run and --runs, the arguments of `open_model`, to a command."""
    where = click.option(
        "--runs",
        "runs_dir",
        type=click.Path(),
        default="runs",
        show_default=True,
        help="Where to look for the best run.",
    )
    run = click.option(
        "--run", "run_dir", type=click.Path(), help="Folder of a run. [default: the best]"
    )
    return run(where(command))


def open_model(run_dir: str | None, runs_dir: str) -> Predictor:
    """Open the model of a run; without one, of the best finished run."""
    # Only here: torch takes seconds to import.
    from gellib.training_run.find_runs import find_best_run
    from gellib.training_run.predictor import Predictor

    return Predictor(run_dir if run_dir else find_best_run(runs_dir))
