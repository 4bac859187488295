"""The command that predicts images: predict."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gellib.cli.shared import Command, open_model, say_waiting, which_model

if TYPE_CHECKING:
    from gellib.labsim.zeroshot import ZeroShot
    from gellib.training_run.prediction import Prediction
    from gellib.training_run.predictor import Predictor

_FILE = click.Path(dir_okay=False, path_type=Path)
_AT_ONCE = 64
_SAID = 11  # letters of a usual statement; a longer one keeps its gap


@click.command(cls=Command)
@click.argument("images", nargs=-1, required=True, type=click.Path(), metavar="IMAGE...")
@which_model
@click.option("--zero-shot", is_flag=True, help="Gel or not, without training a model of your own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--csv", "table", type=_FILE, help="Write a table instead of printing one.")
@click.option(
    "--html", "page", type=_FILE, help="Write a page with small pictures, most uncertain first."
)
@click.option(
    "--copy-to",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Copy the images into folders by class in DIR; nothing is written over.",
)
def predict(
    images: tuple[str, ...],
    run_dir: str | None,
    runs_dir: str,
    zero_shot: bool,
    as_json: bool,
    table: Path | None,
    page: Path | None,
    folder: Path | None,
) -> None:
    """Predict the labels of IMAGE files, or of all images in folders.

    The model is the one of --run, or the finished run that the validation images choose. A file
    that cannot be read is reported in its place; the exit status is then 1, as where a copy failed.

    \b
    gellib predict photo.tif                             print what it is
    gellib predict photos --csv out.csv                  a table of any number of images
    gellib predict photos --html out.html                a page with pictures
    gellib predict photos --copy-to sorted               copies in folders by class

    If one of the last three is stopped, the same command goes on where it was.
    """
    say_waiting("loading the model ...")
    from tqdm import tqdm

    from gellib.training_run.predictor import expand_files

    to_files = any((table, page, folder))
    if to_files and as_json:
        raise click.UsageError("--json prints all predictions; give it without --csv, --html and "
                               "--copy-to")  # fmt: skip
    files = expand_files(images)
    if to_files:
        # Only here: what draws and copies takes time to import.
        from gellib.report.predicted import Outputs, predict_to_files

        outputs = Outputs(table, page, folder)
        outputs.check([*images, *files])
    predictor: Predictor | ZeroShot
    if zero_shot:
        from gellib.labsim.zeroshot import ZeroShot

        predictor = ZeroShot()
    else:
        predictor = open_model(run_dir, runs_dir)
    if to_files:
        bar = partial(tqdm, unit=" images", disable=None, leave=False)
        try:
            written = predict_to_files(predictor, files, outputs, bar=bar)
        except KeyboardInterrupt:
            kept = f"{outputs.begun} keeps what is predicted"
            click.echo(f"\n{kept}: the same command goes on from there", err=True)
            raise
        unreadable, note = written.tally.unreadable + written.failed, written.tally.note
        for sentence in (written.tally.sentence(), *written.sentences):
            click.echo(sentence, err=True)
    else:
        width = max(len(str(file)) for file in files)
        unreadable, note = _print(_predictions(predictor, files), width, as_json)
    click.echo(f"according to {predictor.name}", err=True)
    if note:
        click.echo(f"Note: {note}", err=True)
    sys.exit(1 if unreadable else 0)


def _predictions(predictor: Predictor | ZeroShot, files: Sequence[Path]) -> Iterator[Prediction]:
    """Predict some files at a time, so that memory does not grow with their number."""
    for start in range(0, len(files), _AT_ONCE):
        yield from predictor.predict(files[start : start + _AT_ONCE])


def _print(predictions: Iterable[Prediction], width: int, as_json: bool) -> tuple[int, str]:
    """Print predictions as they come; return how many files cannot be read, and a note."""
    from gellib.training_run.training_images import note_of

    unreadable = trained_on = number = 0
    for number, one in enumerate(predictions, start=1):
        unreadable += bool(one.error)
        trained_on += one.trained_on
        if as_json:
            text = json.dumps(one.to_dict(), indent=2, ensure_ascii=False)
            click.echo("," if number > 1 else "[\n", nl=number > 1)
            click.echo(textwrap.indent(text, "  "), nl=False)
        else:
            click.echo(_line(one, width))
    if as_json:
        click.echo("\n]")
    return unreadable, note_of(trained_on, number - unreadable)


def _line(one: Prediction, width: int) -> str:
    if one.error:
        return f"{one.file:<{width}}  cannot be read: {one.error}"
    shares = "  ".join(f"{name} {share:.1%}" for name, share in one.probabilities.items())
    nearest = f"  most like {near}" if (near := getattr(one, "likeness", "")) else ""
    said = one.statement or "no label"
    unlike = "  unlike its training images" if one.ood else ""
    return f"{one.file:<{width}}  {said:<{_SAID}}  {shares}{nearest}{unlike}"
