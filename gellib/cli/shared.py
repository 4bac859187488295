"""What commands share: the option -p."""

from __future__ import annotations

from collections.abc import Callable

import click


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
