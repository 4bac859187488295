"""The `gellib` command, thin over the functions of the package."""

from __future__ import annotations

import os
import warnings
from typing import TextIO

import click

# pydantic looks for plugins in the metadata of all installed packages, for a tenth of a second.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")

from gellib import __version__
from gellib.base.closed_home import settings_elsewhere_if_home_is_closed
from gellib.base.stopping import stopped_in_words
from gellib.cli.app import app
from gellib.cli.data import check, partition, simulate
from gellib.cli.export import export
from gellib.cli.handover import card, checklist, methods
from gellib.cli.machine import cache, doctor
from gellib.cli.models import pretrain, weights
from gellib.cli.next_images import next_images
from gellib.cli.predict import predict
from gellib.cli.report import report
from gellib.cli.status import status
from gellib.cli.sweeps import list_, new, sweep

# Heavy modules are imported by the command that needs them, so that `gellib --help` is instant.


class _WrongInput(click.ClickException):
    """A data set or a sweep file cannot be used."""

    exit_code = 2


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as a sentence, without the line of code that gave it."""
    click.echo(f"Warning: {message}", err=True)


def _sentence(err: Exception) -> str:
    """Write an error of a file with its path and without its number."""
    text = str(err)
    if isinstance(err, OSError) and text.startswith("[Errno") and err.filename is not None:
        return f"{err.filename}: {err.strerror}"
    return text


def _out_of_reach(err: ImportError | MemoryError) -> str:
    """Say what to do where a library cannot be loaded, or there is no memory left."""
    if isinstance(err, MemoryError):
        return f"out of memory ({err or 'no more can be had'}); close other programs and try again"
    return f"{err}; is there enough memory? If so, install gellib again: gellib doctor says more"


class _Group(click.Group):
    """Lists commands in the order of adding, and turns our errors into one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        def resumes() -> bool:
            return ctx.invoked_subcommand == "sweep"

        try:
            with warnings.catch_warnings(), stopped_in_words(resumes):
                warnings.showwarning = _show_warning
                settings_elsewhere_if_home_is_closed()
                return super().invoke(ctx)
        except (ValueError, OSError) as err:
            # Errors of ours carry a message for the user; anything else is a bug and shows itself.
            ours = type(err).__module__.startswith("gellib") or isinstance(err, OSError)
            # A closed pipe, as of `| head`, is for click.
            if ours and not isinstance(err, BrokenPipeError):
                wrong = getattr(err, "exit_status", 1) == _WrongInput.exit_code
                raise (_WrongInput if wrong else click.ClickException)(_sentence(err)) from err
            raise
        except (ImportError, MemoryError) as err:
            if (getattr(err, "name", None) or "").startswith("gellib"):
                raise
            raise click.ClickException(_out_of_reach(err)) from err


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gellib")
def main() -> None:
    """Find out which transfer-learning set-up works on your images.

    \b
    gellib new my_project           a folder with notebooks and sweep files
    gellib list                     the sweeps that there are
    gellib check my_images          duplicates, leaks, shortcuts: what is wrong with the images
    gellib sweep runs/gel.yaml      train every configuration, then summarise
    gellib status runs/gel          what is done, failed, to do, and what it does now
    gellib report runs/gel          the summary as a page to open or to pass on
    gellib predict photo.png        predict an image with the best model
    gellib app runs/gel             the form to predict with, as a page for the lab
    gellib next my_unlabelled       which images to label next
    gellib export runs/gel --html gel.html    the best model as one page, for colleagues
    gellib card runs/gel            what the best model is, and what it must not be used for
    gellib methods runs/gel         a methods paragraph with references
    gellib checklist runs/gel       REFORMS, DOME, TRIPOD+AI and CLAIM, filled from the records
    gellib weights                  which pretrained networks are here
    gellib simulate gel --out DIR   make labelled practice images
    gellib doctor                   what this machine has, and what is missing

    The same in Jupyter: notebooks/1_explore.ipynb to 4_predict.ipynb.
    """


# In the order of the work, which is that of `gellib --help`.
for _command in (
    new,
    partition,
    check,
    sweep,
    status,
    report,
    list_,
    export,
    predict,
    next_images,
    app,
    card,
    methods,
    checklist,
    weights,
    simulate,
    pretrain,
    doctor,
    cache,
):
    main.add_command(_command)
