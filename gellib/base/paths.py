"""Where things are looked for and made: by the current folder first, in kernels too."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parents[1]
PROJECT_ROOT = PACKAGE_DIR.parent
_MARK = Path("notebooks") / "2_train.ipynb"
_DEMO = "gel"  # the demo images, in dataset/
# Notebooks, sweep files and demo images: those of a clone, or the copies in an installed package.
SHIPPED = PROJECT_ROOT if (PROJECT_ROOT / _MARK).is_file() else PACKAGE_DIR / "_project"


def project_folder() -> Path:
    """Return the project that one stands in: the nearest folder upwards with our notebooks.

    Outside of a project it is the current folder.
    """
    here = Path.cwd()
    return next((p for p in (here, *here.parents) if (p / _MARK).is_file()), here)


def find_path(path: str | Path) -> Path:
    """Resolve a path as the user meant it.

    It is looked for from the current folder, then from the project that one stands in (a notebook
    opened in Jupyter runs in `notebooks/`, papermill in the project's folder), then among what
    comes with gellib. What is in none of them is to be made in the project.
    """
    path = expand_user(path)
    if path.is_absolute() or path.exists():
        return path.resolve()
    inside = project_folder() / path
    if not inside.exists() and is_shipped(SHIPPED / path):
        return (SHIPPED / path).resolve()
    return inside.resolve()


def expand_user(path: str | Path) -> Path:
    """Replace a leading `~`; one of a user whom there is not is left as it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_shipped(path: Path) -> bool:
    """Whether a path is one of the notebooks, sweep files and demo images that come with gellib.

    Results and images of one's own that lie in the folder of a clone are none of them.
    """
    if not path.exists() or not path.is_relative_to(SHIPPED):
        return False
    first, *rest = path.relative_to(SHIPPED).parts or ("",)
    if first == "dataset":
        return rest[:1] == [_DEMO]
    return first == "notebooks" or (first == "runs" and path.suffix == ".yaml")


def made_in(path: Path) -> Path:
    """Name the folder for what is made of a file: beside it, but never in an installed package."""
    folder = path.parent
    return project_folder() / "runs" if folder.is_relative_to(PACKAGE_DIR) else folder


def cache_folder(given: str | Path = "") -> Path:
    """Return the folder of what runs share, such as features.

    It is the one that was `given`; in a project `runs/.cache`; elsewhere the user's cache folder.
    """
    if given:
        return Path(given)
    project = project_folder()
    if (project / _MARK).is_file():
        return project / "runs" / ".cache"
    import platformdirs

    return Path(platformdirs.user_cache_dir("gellib", appauthor=False))


def in_shell(path: str | Path) -> str:
    """Write a path as one word of a command that is to be typed or copied."""
    text = Path(path).as_posix()
    # Or it would be an option.
    text = f"./{text}" if text.startswith("-") else text
    if os.name != "nt":
        return shlex.quote(text)
    return f'"{text}"' if set(text) & set(" &()^;,=%!'") else text


def shown_path(path: str | Path) -> str:
    """Write a path from the current folder if it lies below it."""
    path, here = Path(os.path.abspath(path)), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
