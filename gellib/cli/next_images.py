"""The command for unlabelled images: next."""

from __future__ import annotations

import json
import sys

import click

from gellib.cli.shared import Command, open_model, say_waiting, which_model


@click.command("next", cls=Command)
@click.argument("folder", type=click.Path(), metavar="UNLABELLED_DIR")
@click.option(
    "-n",
    "wanted",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How many images to choose.",
)
@which_model
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    help="Draws the images that are picked at random.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--csv", "table", type=click.Path(dir_okay=False), help="Also write a table.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False), help="Also write a page with the images."
)
def next_images(
    folder: str,
    wanted: int,
    run_dir: str | None,
    runs_dir: str,
    seed: int,
    as_json: bool,
    table: str | None,
    page: str | None,
) -> None:
    """Choose which images of UNLABELLED_DIR to label next.

    Those that the model is uncertain of and that are unlike each other, and a quarter picked at
    random; of near-duplicates one. Images with a label already are left out. A file that cannot be
    read is named; the exit status is then 1.
    """
    say_waiting("loading the model ...")
    from pathlib import Path

    from tqdm import tqdm

    from gellib.base.files import write_csv

    def progress(items, **words):
        return tqdm(items, leave=False, disable=None, **words)

    predictor = open_model(run_dir, runs_dir)
    from gellib.training_run.next_images import choose_next

    found = choose_next(predictor, folder, wanted, seed=seed, progress=progress)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        width = max((len(image.file) for image in found.images), default=0)
        for image in found.images:
            shares = "  ".join(f"{k} {p:.1%}" for k, p in image.prediction.probabilities.items())
            same = f"  the same: {', '.join(image.copies)}" if image.copies else ""
            click.echo(f"{image.rank:>3}  {image.file:<{width}}  {image.reason:<9}  {shares}{same}")
    for sentence in found.sentences():
        click.echo(sentence, err=True)
    for file, reason in found.unreadable:
        click.echo(f"{file} cannot be read: {reason}", err=True)
    click.echo(f"according to {found.run}", err=True)
    if table:
        write_csv(Path(table), found.table())
        click.echo(f"wrote {table}", err=True)
    if page:
        from gellib.report.next_page import write_next_page

        click.echo(f"wrote {write_next_page(found, page)}", err=True)
    sys.exit(1 if found.unreadable else 0)
