"""Where the project is, and paths as the user meant them."""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def find_path(path: str | Path) -> Path:
    """Resolve a path as the user meant it: from here, else from the project's root.

    A notebook opened in Jupyter runs in `notebooks/`, papermill in the root; `dataset/gel`
    is to mean the same in both.
    """
    path = Path(path).expanduser()
    if path.is_absolute() or path.exists():
        return path.resolve()
    return (PROJECT_ROOT / path).resolve()
