"""The `gellib` command, thin over the functions of the package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from gellib import __version__

# Heavy modules are imported by the command that needs them: `gellib --help` is to be instant.


class _Group(click.Group):
    """Lists commands in the order of the work, and turns our errors into one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (ValueError, FileExistsError, FileNotFoundError) as err:
            # Errors of ours carry a message for the user; anything else is a bug and shows itself.
            if type(err).__module__.startswith("gellib") or isinstance(err, OSError):
                raise click.ClickException(str(err)) from err
            raise


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gellib")
def main() -> None:
    """Find out which transfer-learning set-up works on your images.

    \b
    gellib list                     the sweeps that there are
    gellib check my_images          duplicates, leaks, shortcuts: what is wrong with the images
    gellib sweep runs/gel.yaml      train every configuration, then sum up
    gellib status runs/gel.yaml     what is done, failed, to do
    gellib predict photo.png        ask the best model about a picture
    gellib simulate gel --out DIR   make labelled practice images

    The same in Jupyter: notebooks/1_explore.ipynb to 4_predict.ipynb.
    """


def _parameter(ctx: click.Context, option: click.Option, pairs: tuple) -> dict[str, object]:
    return {name: _scalar(value) for name, value in pairs}


def _scalar(value: str) -> object:
    """Read a value as papermill's -p does: numbers and booleans are such, the rest is text."""
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(value.lower(), value)


@main.command()
@click.argument("dataset_dir", type=click.Path(), metavar="DIR")
@click.option("--val", default=0.1, show_default=True, help="Share of all images, to validate.")
@click.option("--test", default=0.1, show_default=True, help="Share of all images, to test.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--split",
    "method",
    default="stratified",
    show_default=True,
    type=click.Choice(["stratified", "random", "mask"]),
    help="How the parts are drawn.",
)
@click.option(
    "--split-duplicates", is_flag=True, help="Do not keep duplicates of a picture together."
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

    Each class gets its share of each part. Groups stay together where the data set has them, and
    so do duplicates of a picture.

    \b
    gellib partition dataset/brain_mri --val 0.1 --test 0.1
    """
    from gellib.partition import partition as write
    from gellib.partition import partition_table

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
    click.echo(f"wrote {', '.join(path.name for path in files)} to {_shown(files[0].parent)}")


@main.command()
@click.argument("folder", type=click.Path(), metavar="DIR")
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
    test_dir: str,
    as_json: bool,
    page: str | None,
    groups_file: str | None,
    most_labels: int | None,
) -> None:
    """Look for what would make the results on the images of DIR worth little.

    Duplicates, families such as slices of one subject, shortcuts such as a file type that gives
    the class away, files that cannot be read. Nothing in DIR is changed. The exit status is 0 when
    nothing is wrong, 1 when something is, and 2 when DIR could not be looked at.
    """
    from tqdm import tqdm

    from gellib.check import check_dataset, doubtful_labels, report_text, write_groups, write_page
    from gellib.datasets import DatasetError

    def progress(items, total):
        return tqdm(items, total=total, unit=" images", leave=False, disable=None)

    try:
        report = check_dataset(folder, test_dir=test_dir, progress=progress)
    except (DatasetError, OSError) as err:
        click.echo(f"Error: {err}", err=True)
        sys.exit(2)
    doubtful = doubtful_labels(report, k=most_labels, progress=True) if most_labels else None
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(report_text(report, doubtful))
    if page:
        click.echo(f"wrote {write_page(report, page, doubtful)}", err=True)
    if groups_file:
        click.echo(f"wrote {write_groups(report, groups_file)}", err=True)
    sys.exit(1 if report.verdict else 0)


@main.command()
@click.argument("file", type=click.Path())
@click.option(
    "-p",
    "--parameter",
    "overrides",
    type=(str, str),
    multiple=True,
    metavar="NAME VALUE",
    callback=_parameter,
    help="Set a parameter for all runs; may be repeated.",
)
@click.option("--out", type=click.Path(), help="Folder of the results. [default: beside FILE]")
@click.option("--jobs", type=click.IntRange(1), help="Runs at once. [default: 1]")
@click.option("--threads", type=click.IntRange(1), help="Threads of a run. [default: cores / jobs]")
@click.option("--scheduler", metavar="ADDRESS", help="Dask scheduler, such as tcp://host:8786.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Wall-clock limit of one run.")
@click.option("--fresh", is_flag=True, help="Forget finished runs and start over.")
@click.option("--dry-run", is_flag=True, help="List the runs and what would be done; run nothing.")
@click.option("--no-summary", is_flag=True, help="Leave out the summary notebook.")
@click.option("--quick", is_flag=True, help="A first look: few images, two epochs, small input.")
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
) -> None:
    """Run every configuration of a sweep FILE that is not done yet, then the summary.

    Stopped or killed, the same command goes on where it was. The exit status is 1 if a run failed.

    \b
    gellib sweep runs/gel.yaml
    gellib sweep runs/gel.yaml -p dataset_dir my/images --out runs/mine
    gellib sweep runs/gel.yaml --jobs 4 --time-limit 600
    gellib sweep runs/protein.yaml --quick

    A quick look has a folder of its own, such as runs/protein-quick. Where the images are not
    there, it makes a few simulated ones.
    """
    if not dry_run:
        from gellib.kernels import start_server

        start_server()  # it imports what the runs need, while this process imports its own
    from gellib.sweeps import run_sweep

    loaded = _load(file, overrides, out, quick)
    if dry_run:
        _list_runs(loaded)
        return
    if quick:
        _make_stand_in(loaded)
    try:
        outcome = run_sweep(
            loaded,
            jobs=jobs,
            threads=threads,
            scheduler=scheduler,
            fresh=fresh,
            limit_s=time_limit,
            summary=not no_summary,
        )
    except KeyboardInterrupt:
        click.echo("\nstopped; the same command goes on where it was", err=True)
        sys.exit(130)
    click.echo(_counts(outcome.counts))
    click.echo(f"results:  {_shown(outcome.results)}")
    if outcome.summary:
        click.echo(f"summary:  {_shown(outcome.summary)}")
        click.echo("predict:  gellib predict IMAGE, or notebooks/4_predict.ipynb")
    if outcome.problem:
        click.echo(f"Error: {outcome.problem}", err=True)
    if outcome.counts.get("failed"):
        click.echo("failed runs keep their notebook, up to the cell that failed:", err=True)
        for name in outcome.failed:
            click.echo(f"  {_shown(outcome.results.parent / name / 'train.ipynb')}", err=True)
    sys.exit(0 if outcome.ok else 1)


@main.command()
@click.argument("file", type=click.Path())
@click.option(
    "-p",
    "--parameter",
    "overrides",
    type=(str, str),
    multiple=True,
    metavar="NAME VALUE",
    callback=_parameter,
    help="The parameters that the sweep was given, if any.",
)
@click.option("--out", type=click.Path(), help="Folder of the results. [default: beside FILE]")
@click.option("--quick", is_flag=True, help="Of the quick look at it.")
def status(file: str, overrides: dict[str, object], out: str | None, quick: bool) -> None:
    """Show what of a sweep FILE is done, running, failed, skipped and to do."""
    _list_runs(_load(file, overrides, out, quick))


def _load(file: str, overrides: dict[str, object], out: str | None, quick: bool):
    """Load a sweep; a quick one without its images has simulated ones instead."""
    from gellib.sweeps import load_sweep

    loaded = load_sweep(file, overrides=overrides, out=out, quick=quick)
    given = not loaded.system or "dataset_dir" in overrides
    if not quick or given or not loaded.missing_folders():
        return loaded
    overrides = {**overrides, "dataset_dir": f"dataset/{loaded.system}-quick"}
    return load_sweep(file, overrides=overrides, out=out, quick=True)


_STAND_IN_SEED = 2  # with it, so few images hold several of each label


def _make_stand_in(loaded) -> None:
    from gellib.config import find_path
    from gellib.sweeps.quick import QUICK_IMAGES

    for folder in loaded.missing_folders():
        if loaded.system and folder == f"dataset/{loaded.system}-quick":
            click.echo(f"no images of {loaded.system} yet: making simulated ones in {folder}")
            count = QUICK_IMAGES // (2 if loaded.system == "gel" else 1)  # gel's is of a class
            _simulate(loaded.system, find_path(folder), {"n": count}, _STAND_IN_SEED)


@main.command("list")
@click.argument("folder", type=click.Path(), default="runs")
def list_(folder: str) -> None:
    """List the sweeps in FOLDER [default: runs]: size, networks, purpose."""
    from gellib.sweeps import SweepError, list_sweeps

    sweeps = list_sweeps(folder)
    if not sweeps:
        raise click.ClickException(f"no sweep files (*.yaml) in {folder}")
    for path, sweep in sweeps.items():
        if isinstance(sweep, SweepError):
            click.echo(f"{_shown(path)}\n  cannot be read: {sweep}\n")
            continue
        networks = dict.fromkeys(c.pretrained_model for c in sweep.configs.values())
        folders = dict.fromkeys(c.dataset_dir for c in sweep.configs.values())
        missing = sweep.missing_folders()
        shown = ", ".join(f"{name} (not there)" if name in missing else name for name in folders)
        runs = f"{len(sweep.configs)} run{'s' if len(sweep.configs) > 1 else ''}"
        click.echo(f"{_shown(path)}  {runs}, {', '.join(networks)}; images: {shown}")
        click.echo(f"  {sweep.purpose or '(no purpose given)'}\n")
    broken = sum(isinstance(sweep, SweepError) for sweep in sweeps.values())
    sys.exit(1 if broken else 0)


def _list_runs(loaded) -> None:
    from collections import Counter

    from gellib.runs import RunFolder, SweepFolder
    from gellib.sweeps import status_of

    statuses = status_of(SweepFolder(loaded.folder), loaded)
    width = max(map(len, statuses))
    for name, state in statuses.items():
        record = RunFolder(loaded.folder / name).read_record() or {}
        more = record.get("reason", "") if state in ("failed", "skipped") else ""
        if state == "done":
            test = record["metrics"]["test"]
            more = f"test accuracy {test['accuracy']:.1%} of {test['n']} images"
        click.echo(f"{name:<{width}}  {state:<8} {more:.120}".rstrip())
    click.echo(_counts(Counter(statuses.values())))


def _counts(counts: dict[str, int]) -> str:
    order = ("done", "running", "failed", "skipped", "to do")
    total = sum(counts.values())
    return f"{total} runs: " + ", ".join(f"{counts[s]} {s}" for s in order if counts.get(s))


def _shown(path: Path) -> str:
    try:
        return str(Path(path).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@main.command()
@click.argument("sweep_dir", type=click.Path(), metavar="SWEEP_DIR")
@click.option(
    "--to",
    required=True,
    type=click.Choice(["mlflow", "tensorboard"]),
    help="The tracker; needs the extra `track`.",
)
@click.option("--out", type=click.Path(), help="Folder to write. [default: in SWEEP_DIR]")
def export(sweep_dir: str, to: str, out: str | None) -> None:
    """Send the finished runs of SWEEP_DIR to a tracker: parameters, metrics, curves, figures."""
    from gellib.export import export_sweep

    done = export_sweep(sweep_dir, to, out)
    click.echo(f"{done['runs']} runs sent to {_shown(done['out'])}; to look at them:")
    click.echo(f"  {done['view']}")


@main.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(), metavar="IMAGE...")
@click.option("--run", "run_dir", type=click.Path(), help="Folder of a run. [default: the best]")
@click.option(
    "--runs",
    "runs_dir",
    type=click.Path(),
    default="runs",
    show_default=True,
    help="Where to look for the best run.",
)
@click.option("--zero-shot", is_flag=True, help="Gel or not, without any training of your own.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def predict(
    images: tuple[str, ...], run_dir: str | None, runs_dir: str, zero_shot: bool, as_json: bool
) -> None:
    """Say what IMAGE files, or all images in folders, show.

    The model is the one of --run, or the finished run with the best validation accuracy. A file
    that cannot be read is reported in its place; the exit status is then 1.
    """
    from gellib.predictor import Predictor, expand_files, find_best_run

    files = expand_files(images)
    if zero_shot:
        from gellib.zeroshot import ZeroShot

        predictor = ZeroShot()
    else:
        predictor = Predictor(run_dir if run_dir else find_best_run(runs_dir))
    predictions = predictor.predict(files)
    if as_json:
        click.echo(json.dumps([p.to_dict() for p in predictions], indent=2, ensure_ascii=False))
    else:
        width = max(len(p.file) for p in predictions)
        for p in predictions:
            if p.error:
                click.echo(f"{p.file:<{width}}  cannot be read: {p.error}")
                continue
            shares = "  ".join(f"{name} {share:.1%}" for name, share in p.probabilities.items())
            nearest = f"  most like {p.nearest}" if zero_shot else ""
            unlike = "  unlike all that it was trained on" if p.ood else ""
            click.echo(f"{p.file:<{width}}  {p.label or 'no label':<12} {shares}{nearest}{unlike}")
        click.echo(f"according to {predictions[0].run or predictor.name}", err=True)
    sys.exit(1 if any(p.error for p in predictions) else 0)


@main.command()
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
    from gellib.simulate import SYSTEMS

    if system not in SYSTEMS:
        raise click.ClickException(f"system {system!r} is unknown; there are: {', '.join(SYSTEMS)}")
    _simulate(system, out, {} if n is None else {"n": n}, seed)


def _simulate(system: str, out: Path, count: dict[str, int], seed: int) -> None:
    from gellib.simulate import SYSTEMS

    with click.progressbar(length=1, label=f"simulating {system}") as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(1)

        try:
            SYSTEMS[system](out, seed=seed, progress=progress, **count)
        except ValueError as err:
            raise click.ClickException(str(err)) from err
    click.echo(f"wrote {out}")


@main.command()
@click.option(
    "--backbone", default="resnet18", show_default=True, help="resnet18, mobilenet-v3, vgg16"
)
@click.option(
    "--minutes", type=float, help="Time to train. [default: the network's own number of steps]"
)
@click.option("--steps", type=click.IntRange(1), help="Steps to train, instead of minutes.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of an earlier course to go on from; give it another seed.",
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
def pretrain(
    backbone: str,
    minutes: float | None,
    steps: int | None,
    seed: int,
    start: Path | None,
    out: Path,
) -> None:
    """Train a network on simulated images alone: the weights `labsim`.

    Writes BACKBONE.safetensors and its card; use it by `-p weights FILE`.
    """
    from gellib.pretrain import pretrain as train

    file = train(
        backbone, minutes=minutes, steps=steps, seed=seed, start=start or "", out=out, progress=True
    )
    click.echo(f"wrote {file}")
