"""The commands for images: partition, check, simulate."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from gellib.base.paths import shown_path
from gellib.base.text import join_and
from gellib.cli.shared import Command, parameters, say_waiting, terminal_width


@click.command(cls=Command)
@click.argument("dataset_dir", type=click.Path(), metavar="DIR")
@click.option("--val", default=0.1, show_default=True, help="Share of all images for validation.")
@click.option("--test", default=0.1, show_default=True, help="Share of all images for the test.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--split",
    "method",
    default="stratified",
    show_default=True,
    type=click.Choice(["stratified", "random", "mask"]),
    help="How the splits are drawn.",
)
@click.option(
    "--split-duplicates", is_flag=True, help="Do not keep duplicates of an image in one split."
)
@click.option("--out", default="", type=click.Path(), help="Folder of the tables. [default: DIR]")
@click.option("--force", is_flag=True, help="Replace other tables that are there.")
def partition(
    dataset_dir: str,
    val: float,
    test: float,
    seed: int,
    method: str,
    split_duplicates: bool,
    out: str,
    force: bool,
) -> None:
    """Write train.csv, val.csv and test.csv for the images in DIR, which runs then keep to.

    Each class gets its share of each split. Groups stay together where the data set has them, and
    so do duplicates of an image.

    \b
    gellib partition dataset/brain_mri --val 0.1 --test 0.1
    """
    from gellib.data.partition import partition as write
    from gellib.data.partition import partition_table

    images, files = write(
        dataset_dir,
        val=val,
        test=test,
        seed=seed,
        method=method,
        group_duplicates=not split_duplicates,
        out=out,
        force=force,
    )
    click.echo(partition_table(images).rename_axis(columns=None).to_string())
    click.echo(f"wrote {', '.join(path.name for path in files)} to {shown_path(files[0].parent)}")


_USED_BY_CHECK = ("max_image_mb", "max_image_mpx", "seed", "test_dir", "extra_train_dir")


@click.command(cls=Command)
@click.argument("folder", type=click.Path(), metavar="DIR")
@parameters("Set a parameter of the runs to come, such as max_image_mpx; may be repeated.")
@click.option("--test-dir", default="", help="Separate folder of test images.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.option("--html", "page", type=click.Path(dir_okay=False), help="Also write a page.")
@click.option(
    "--groups",
    "groups_file",
    type=click.Path(dir_okay=False),
    help="Also draft a labels.csv whose column group keeps look-alikes together.",
)
@click.option(
    "--labels",
    "most_labels",
    type=click.IntRange(1),
    help="Also list the N most doubtful labels, as resnet18 sees the images.",
    metavar="N",
)
def check(
    folder: str,
    overrides: dict[str, object],
    test_dir: str,
    as_json: bool,
    page: str | None,
    groups_file: str | None,
    most_labels: int | None,
) -> None:
    """Find what would make the results on the images of DIR unreliable.

    Duplicates, near-duplicate clusters such as slices of one subject, shortcuts such as a file type
    that reveals the class, files that cannot be read. Nothing in DIR is changed. The images are
    looked at as they are stored, whatever color or size a run gives them.

    The exit status is 0 when no problem was found, 1 when one was, and 2 when DIR could not be
    checked.
    """
    say_waiting("looking at the images ...")
    from tqdm import tqdm

    from gellib.audit import check_dataset, doubtful_labels, report_text, write_groups, write_page
    from gellib.config import ConfigError, RunConfig
    from gellib.data import DatasetError, load_extra_training
    from gellib.data.image_files import ImageLimits
    from gellib.sweeps.foresee import parameter_problems

    def progress(items, **words):
        return tqdm(items, leave=False, disable=None, **words)

    try:
        config = RunConfig.check(overrides)
        if problems := parameter_problems(config):
            raise ConfigError("\n".join(problems))
        limits = ImageLimits(int(config.max_image_mb * 1e6), int(config.max_image_mpx * 1e6))
        test_dir = test_dir or config.test_dir
        options: dict[str, Any] = {"limits": limits, "progress": progress, "seed": config.seed}
        report = check_dataset(folder, test_dir=test_dir, **options)
        if config.extra_train_dir:
            load_extra_training(report.images, config.extra_train_dir)
    except (ConfigError, DatasetError, OSError) as err:
        click.echo(f"Error: {err}", err=True)
        sys.exit(2)
    if unused := [name for name in overrides if name not in _USED_BY_CHECK]:
        click.echo(
            f"Note: the check looks at the images as they are stored, so {join_and(unused)} made "
            "no difference to it",
            err=True,
        )
    doubtful = None
    if most_labels:
        doubtful = doubtful_labels(report, k=most_labels, limits=limits, progress=True)
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        width = {} if not terminal_width() else {"width": terminal_width()}
        click.echo(report_text(report, doubtful, **width))
    if page:
        click.echo(f"wrote {write_page(report, page, doubtful)}", err=True)
    if groups_file:
        click.echo(f"wrote {write_groups(report, groups_file)}", err=True)
    sys.exit(1 if report.verdict else 0)


@click.command(cls=Command)
@click.argument("system", metavar="SYSTEM")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to make.")
@click.option(
    "--n",
    type=click.IntRange(1),
    help="Images: of each class for gel [default: 57], of all for brain_mri [253], alzheimer "
    "[1280] and protein [1000].",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def simulate(system: str, out: Path, n: int | None, seed: int) -> None:
    """Make a labelled set of simulated images. SYSTEM: gel, brain_mri, alzheimer or protein.

    \b
    gellib simulate brain_mri --out dataset/brain_mri
    gellib simulate protein --out dataset/protein --n 2000 --seed 1
    """
    from gellib.labsim.simulate import SYSTEMS

    if system not in SYSTEMS:
        raise click.ClickException(f"system {system!r} is unknown; there are: {', '.join(SYSTEMS)}")
    write_simulated(system, out, {} if n is None else {"n": n}, seed)


def write_simulated(system: str, out: Path, count: dict[str, int], seed: int) -> None:
    """Make simulated images, with a progress bar.

    Parameters
    ----------
    system
        A name in `gellib.labsim.simulate.SYSTEMS`.
    out
        Folder to make.
    count
        `n`, the number of images, or empty for the system's own number.
    seed
        Seed of the images.

    Raises
    ------
    click.ClickException
        When the folder or the number is refused.
    """
    from gellib.labsim.simulate import SYSTEMS

    with click.progressbar(length=1, label=f"simulating {system}") as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(1)

        try:
            SYSTEMS[system](out, seed=seed, progress=progress, **count)
        except ValueError as err:
            raise click.ClickException(str(err)) from err
    click.echo(f"wrote {out}")
