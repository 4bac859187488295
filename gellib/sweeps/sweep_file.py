"""A sweep file as it is written: its keys, read and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gellib.base.text import did_you_mean


class SweepError(ValueError):
    """The sweep file cannot be used; the message says which file, what and how to correct it."""

    exit_status = 2  # of the command


class SweepFile(BaseModel):
    """The keys of a sweep file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    purpose: str = ""
    notebook: str = "notebooks/2_train.ipynb"
    params: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    runs: list[dict[str, Any]] = Field(default_factory=list)
    seeds: list[int] = Field(default_factory=list)
    folds: int = Field(0, ge=0, le=100)
    system: str = ""


def read_sweep_file(path: Path) -> SweepFile:
    """Read a sweep file and check its keys, not yet its parameters.

    Raises
    ------
    SweepError
        When there is no such file, it is not YAML, or a key is unknown, missing or of a wrong kind.
    """
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        hint = f"; there are: {', '.join(near)}" if near else ""
        raise SweepError(f"no such sweep file: {path}{hint}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise SweepError(f"{path} is not YAML: {err}") from err
    if not isinstance(content, dict):
        raise SweepError(f"{path}: expected keys such as `name` and `grid`, got {content!r:.60}")
    try:
        return SweepFile(**content)
    except (ValidationError, TypeError) as err:
        if isinstance(err, TypeError):
            raise SweepError(f"{path}: keys must be names: {err}") from err
        lines = [_explain(problem) for problem in err.errors()]
        raise SweepError(f"{path}: " + "; ".join(lines)) from None


def _explain(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = list(SweepFile.model_fields)
        hint = did_you_mean(name, known)
        return f"key {name!r} is unknown: {hint}Known keys: {', '.join(known)}"
    if problem["type"] == "missing":
        return f"key {name!r} is missing"
    return f"key {name!r}: got {problem['input']!r}, but {problem['msg'].lower()}"
