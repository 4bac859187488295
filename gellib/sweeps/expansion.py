"""From the `grid`, `runs`, `seeds` and `folds` of a sweep file to the parameters of each run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gellib.config import RunConfig
from gellib.sweeps.sweep_file import SweepFile, SweepInputError


def expand_runs(
    spec: SweepFile, overrides: dict[str, Any], path: Path
) -> Iterator[tuple[dict[str, Any], str, dict[str, str | None] | None]]:
    """Yield parameters, label and (of listed runs) ancestry of each run, the product first."""
    grid = {name: values for name, values in spec.grid.items() if name not in overrides}
    if spec.grid or not spec.runs:
        for values in itertools.product(*grid.values()):
            chosen = dict(zip(grid, values, strict=True))
            yield {**spec.params, **chosen}, _label(chosen.values()), None
    known: dict[str, dict[str, Any]] = {}
    for entry in spec.runs:
        entry = dict(entry)
        name = str(entry.pop("name", "")) or _label(entry.values())
        like = entry.pop("like", None)
        if name in known:
            raise SweepInputError(f"{path}: two runs are called {name!r}: give them other names")
        if like is not None and not (isinstance(like, str) and like in known):
            raise SweepInputError(
                f"{path}: run {name!r} is `like: {like}`, which is no earlier run; "
                f"earlier ones: {', '.join(known) or 'none'}"
            )
        known[name] = {**known.get(like or "", {}), **entry}
        yield {**spec.params, **known[name]}, _label([name]), {"name": name, "like": like}


def expand_repeats(spec: SweepFile, overrides: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Return the parameters and the name's ending of each repeat of a configuration."""
    seeds: list[tuple[dict[str, Any], str]] = [({}, "")]
    if spec.seeds and "seed" not in overrides:
        seeds = [({"seed": seed}, f"seed{seed}") for seed in spec.seeds]
    folds: list[tuple[dict[str, Any], str]] = [({}, "")]
    if spec.folds and not {"split", "folds", "fold"} & set(overrides):
        folds = [
            ({"split": "kfold", "folds": spec.folds, "fold": fold}, f"fold{fold}")
            for fold in range(spec.folds)
        ]
    return [
        ({**one, **two}, "-".join(filter(None, (a, b))))
        for (one, a), (two, b) in itertools.product(seeds, folds)
    ]


def changed_values(values: dict[str, Any], parent: dict[str, Any] | None) -> dict[str, list[Any]]:
    """Return what differs from the run that this one builds on: by parameter, from and to."""
    if parent is None:
        return {}

    def before(name: str) -> Any:
        field = RunConfig.model_fields.get(name)
        return parent.get(name, field.default if field else None)

    return {
        name: [before(name), value]
        for name, value in values.items()
        if name != "model_id" and value != before(name)
    }


def _label(values: Any) -> str:
    """Join values to a part of a folder name that every file system takes."""
    text = "-".join(str(value) for value in values)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)[:100].strip("_")
