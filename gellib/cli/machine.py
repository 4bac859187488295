"""The commands for the machine: doctor, cache."""

from __future__ import annotations

import json
import shutil
import sys

import click

from gellib.cli.shared import Command, echo_wrapped, terminal_width

_BEFORE_FINDING = 13  # columns of mark and name
_BESIDE_KIND = 20  # columns of count and size


@click.command(cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def doctor(as_json: bool) -> None:
    """Show what this machine has for gellib, and what to do about what is missing.

    The exit status is 1 where something is missing that gellib does not work without.
    """
    from dataclasses import asdict

    from gellib.report.doctor import examine_installation

    findings = []
    for one in examine_installation():
        findings.append(one)
        if not as_json:
            mark = "✗" if one.needed else "!" if one.to_do else "✓"
            echo_wrapped(f"{mark} {one.name:<10} {one.value}", indent=_BEFORE_FINDING)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings], indent=2, ensure_ascii=False))
    else:
        wanted = [one for one in findings if one.to_do]
        click.echo("\nTo do:" if wanted else "\nNothing is missing.")
        for one in wanted:
            echo_wrapped(
                f"  {one.name}: {one.to_do}{'' if one.needed else ' (optional)'}", indent=4
            )
    sys.exit(1 if any(one.needed for one in findings) else 0)


@click.command(cls=Command)
@click.option("--dir", "folder", type=click.Path(file_okay=False), default="",
              help="Folder of the cache. [default: that of this project]")  # fmt: skip
@click.option("--clear", is_flag=True, help="Delete what is in it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def cache(folder: str, clear: bool, yes: bool) -> None:
    """Show where features are cached, how much there is, and of what; or delete it.

    What is deleted is computed again when it is needed; what a command writes now stays.
    Results of sweeps are not in the cache.
    """
    from gellib.base.cache_files import CacheContents
    from gellib.base.paths import cache_folder, shown_path
    from gellib.base.text import bytes_text, shorten

    contents = CacheContents.of(cache_folder(folder))
    shown = shown_path(contents.folder)
    if not contents.files:
        click.echo(f"{shown}: empty")
        return
    free = bytes_text(shutil.disk_usage(contents.folder).free)
    click.echo(f"{shown}: {bytes_text(contents.size)}; {free} free on its disk")
    most = max(terminal_width() - _BESIDE_KIND, 20) if terminal_width() else sys.maxsize
    kinds = {kind: shorten(kind, most, middle=True) for kind in contents.kinds}
    width = max(map(len, (*kinds.values(), "")))
    for kind, (count, size) in contents.kinds.items():
        click.echo(f"  {kinds[kind]:<{width}}  {count:>5}  {bytes_text(size):>9}")
    if not clear:
        return
    if not yes:
        click.confirm("Delete it? A sweep that runs now computes it again", abort=True, err=True)
    kept = contents.clear()
    click.echo(f"deleted {len(contents.files) - len(kept)} files")
    for path in kept:
        click.echo(f"{path} is in use, or cannot be deleted", err=True)
    sys.exit(1 if kept else 0)
