"""The commands for models: weights, pretrain."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gellib.base.text import shorten
from gellib.cli.shared import Command, terminal_width

if TYPE_CHECKING:
    from gellib.models.backbones.inventory import WeightsState

_LEAST_ROOM = 16  # columns for a place, or none is printed


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--fetch", is_flag=True, help="Download what is missing, before going offline.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def weights(names: tuple[str, ...], fetch: bool, as_json: bool) -> None:
    """Show which pretrained weights are on this machine, and what can be had.

    \b
    gellib weights                               the common networks
    gellib weights timm/convnext_tiny            one of timm's networks
    gellib weights --fetch resnet18 vgg16        download them now
    """
    from dataclasses import asdict

    from gellib.models.backbones import resolve_weights
    from gellib.models.backbones.inventory import weights_states

    problems = []
    if fetch:
        for state in weights_states(names):
            if state.state in ("installed", "cached"):
                continue
            try:
                resolve_weights(state.name, "imagenet")
            except ValueError as err:
                problems.append(str(err))
    found = weights_states(names)
    if as_json:
        click.echo(json.dumps([asdict(state) for state in found], indent=2))
    else:
        _print_states(found)
    for problem in problems:
        click.echo(problem, err=True)
    sys.exit(1 if problems else 0)


def _print_states(found: Sequence[WeightsState]) -> None:
    """Print one row per network, in a terminal within its width."""
    rows = [("network", "weights", "MB", "licence", "simulated", "where")]
    for one in found:
        size = f"{one.size_mb:.0f}" if one.size_mb else ""
        labsim = "included" if one.labsim else ""
        rows.append((one.name, one.state, size, one.license, labsim, one.place))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = terminal_width() - sum(widths[:5]) - 10
    for *cells, place in rows:
        name, state, size, licence, labsim = cells
        line = f"{name:<{widths[0]}}  {state:<{widths[1]}}  {size:>{widths[2]}}  "
        line += f"{licence:<{widths[3]}}  {labsim:<{widths[4]}}"
        if not terminal_width():
            line += f"  {place}"
        elif room >= _LEAST_ROOM:
            line += f"  {shorten(place, room, middle=True)}"
        click.echo(line.rstrip())
    if terminal_width() and max(len(one.place) for one in found) > room:
        click.echo("\nWhole places: gellib weights --json")


@click.command(cls=Command)
@click.option(
    "--backbone", default="resnet18", show_default=True, help="resnet18, mobilenet-v3, vgg16"
)
@click.option(
    "--minutes", type=float, help="Time to train. [default: the backbone's own number of steps]"
)
@click.option("--steps", type=click.IntRange(1), help="Steps to train, instead of minutes.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of an earlier pretraining run to continue; give it another seed.",
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
    """Train a backbone on simulated images alone: the weights `labsim`.

    Writes BACKBONE.safetensors and its card; use it by `-p weights FILE`.
    """
    from gellib.labsim.pretraining import pretrain as train

    file = train(
        backbone, minutes=minutes, steps=steps, seed=seed, start=start or "", out=out, progress=True
    )
    click.echo(f"wrote {file}")
