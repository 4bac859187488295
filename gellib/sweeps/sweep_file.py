"""A sweep file as it is written: its keys, read and checked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gellib.base.decoding import UndecodableTextError, decode_text
from gellib.base.text import did_you_mean, quote_some, shorten
from gellib.sweeps.strict_yaml import StrictYamlError, read_yaml

_OF_WINDOWS = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)  # devices, never files


class SweepError(ValueError):
    """A sweep cannot be run; the message says what is in the way and what to do."""


class SweepInputError(SweepError):
    """The sweep file, or the images that it names, cannot be used; the message says why."""

    exit_status = 2  # of the command


class SweepFile(BaseModel):
    """The keys of a sweep file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    purpose: str = ""
    notebook: str = "notebooks/2_train.ipynb"
    params: dict[str, Any] = Field(default_factory=dict)
    grid: dict[str, list[Any]] = Field(default_factory=dict)
    runs: list[dict[str, Any]] = Field(default_factory=list)
    seeds: list[int] = Field(default_factory=list)
    folds: int = Field(0, ge=0, le=100)
    # Scores that differ by less are practically the same; the report's own default.
    margin: float = Field(0.05, gt=0, le=0.5)
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
        raise SweepInputError(f"no such sweep file: {path}{hint}")
    try:
        content = read_yaml(decode_text(path.read_bytes()))
    except OSError as err:
        raise SweepInputError(f"{path} cannot be opened: {err.strerror}") from err
    except (StrictYamlError, UndecodableTextError) as err:
        raise SweepInputError(f"{path} is not YAML: {err}") from err
    if not isinstance(content, dict):
        raise SweepInputError(
            f"{path}: expected keys such as `name` and `grid`, got {shorten(repr(content), 60)}"
        )
    try:
        spec = SweepFile(**content)
    except TypeError as err:
        raise SweepInputError(f"{path}: keys must be names: {err}") from err
    except ValidationError as err:
        lines = [_explain(problem) for problem in err.errors()]
        raise SweepInputError(f"{path}: " + "; ".join(lines)) from None
    _check_name(spec.name, path)
    _check_repeats(spec, path)
    return spec


def _check_name(name: str, path: Path) -> None:
    """Refuse a name that is no single folder: it would lead elsewhere."""
    odd = bool(set(name) & set('/\\:*?"<>|')) or name.strip(" .") != name or name[:1] == "~"
    odd = odd or not name.isprintable() or bool(_OF_WINDOWS.fullmatch(name.partition(".")[0]))
    if odd or not 0 < len(name.encode()) <= 150:
        raise SweepInputError(
            f"{path}: key 'name': got {shorten(name, 60)!r}, expected the name of one folder, "
            "such as my_sweep; --out gives another place"
        )


def _check_repeats(spec: SweepFile, path: Path) -> None:
    """Refuse what repeats runs in two ways at once, or one run twice."""
    twice = [seed for seed in dict.fromkeys(spec.seeds) if spec.seeds.count(seed) > 1]
    if twice:
        raise SweepInputError(f"{path}: key 'seeds': {quote_some(twice)} stands twice; keep one")
    varied = [*spec.grid, *(name for run in spec.runs for name in run)]
    for key, own in (("seeds", ("seed",)), ("folds", ("split", "folds", "fold"))):
        both = [name for name in own if name in varied]
        if both and getattr(spec, key):
            raise SweepInputError(
                f"{path}: {both[0]!r} is varied by `grid` or `runs`, and by `{key}` too, so that "
                f"runs would be repeated; keep `{key}`, which counts runs as repeats of one "
                "configuration"
            )
    for name, values in spec.grid.items():
        same = [value for at, value in enumerate(values) if _is_in(value, values[:at])]
        if same:
            raise SweepInputError(
                f"{path}: key 'grid': {name} has {same[0]!r} twice, which is the same run twice; "
                "keep one (`seeds` repeats runs)"
            )


def _is_in(value: Any, others: list[Any]) -> bool:
    return any(type(value) is type(other) and value == other for other in others)


def _explain(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = list(SweepFile.model_fields)
        hint = did_you_mean(name, known)
        return f"key {name!r} is unknown: {hint}Known keys: {', '.join(known)}"
    if problem["type"] == "missing":
        return f"key {name!r} is missing"
    got = shorten(repr(problem["input"]), 60)
    return f"key {name!r}: got {got}, but {problem['msg'].lower()}"
