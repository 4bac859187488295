"""Where the runs of a sweep file may write: a file that came from elsewhere is no order."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path, PureWindowsPath

from gellib.base.paths import expand_user, project_folder, shown_path
from gellib.base.text import shorten
from gellib.config import RunConfig

# Parameters that name what a run writes, and the endings of files that it may replace there.
# `cache_dir` is none: its files have names of their own, and replace nothing else.
_MODEL = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".h5", ".model")
_PICTURE = (".png", ".jpg", ".jpeg", ".pdf", ".svg")
_REPLACED = {"model_path": _MODEL, "plots_path": _PICTURE, "results_file": (".csv",), "run_dir": ()}


def find_stray(config: RunConfig, results: Path, given: Container[str]) -> str:
    """Say which parameter of a run would write where a sweep file may not, or nothing.

    A sweep file may name places in the project (outside of one: in the current folder) and in the
    folder of the results, none of them hidden there, and no file of another kind that is there.

    Parameters
    ----------
    config
        The run.
    results
        Folder of the sweep's results.
    given
        Parameters that were given beside the file, on the command line: these may point anywhere.
    """
    for name, endings in _REPLACED.items():
        text = getattr(config, name)
        if text and name not in given and (problem := _problem(text, endings, results)):
            return (
                f"{name}: got {shorten(text, 100)!r}, {problem}; expected a place in "
                f"{shown_path(project_folder())} or {shown_path(results)}. If you trust the file, "
                f"allow it with --allow-outside, or give -p {name} yourself"
            )
    return ""


def _problem(text: str, endings: tuple[str, ...], results: Path) -> str:
    if PureWindowsPath(text).drive and not Path(text).is_absolute():
        return "which has a drive"
    try:
        # Windows reads both slashes; a file may be shared with one.
        path = expand_user(text.replace("\\", "/")).resolve()
        roots = [root.resolve() for root in (results, project_folder())]
        inside = [path.relative_to(root) for root in roots if path.is_relative_to(root)]
        if not inside:
            return f"which is {path}, outside of the project"
        if any(part.startswith(".") for part in inside[0].parts):
            return "which is hidden"
        if path.is_file() and path.suffix.lower() not in endings:
            return "which is a file of another kind"
    except (OSError, ValueError, RuntimeError) as err:
        return f"which is no path ({shorten(str(err), 60)})"
    return ""
