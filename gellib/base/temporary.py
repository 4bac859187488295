"""One temporary folder per process: what its children and libraries leave goes with it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from gellib.base.files import is_alive

_OURS = re.compile(r"gellib-(\d+)-[a-z0-9_]+")
# A path of a socket has 107 signs at most, 24 of them a kernel's (18 multiprocessing's).
_LONGEST = 107 - 24


def temporary_folder() -> str:
    """Return the folder of this process, which is deleted when it ends.

    Folders of processes that were killed are deleted when the next one makes its own.
    """
    return _folder_of(os.getpid())


def socket_folder() -> str:
    """Return that folder for Unix sockets; the system's if its path is too long for them."""
    folder = temporary_folder()
    return folder if len(os.fsencode(folder)) <= _LONGEST else tempfile.gettempdir()


@cache
def _folder_of(pid: int) -> str:
    place = tempfile.gettempdir()
    delete_left_folders(Path(place))
    # It deletes itself at exit: a plain function of `atexit` would run in a half-dead interpreter.
    made = tempfile.TemporaryDirectory(prefix=f"gellib-{pid}-", ignore_cleanup_errors=True)
    _kept.append(made)
    return made.name


_kept: list[tempfile.TemporaryDirectory[str]] = []


def delete_left_folders(place: Path) -> list[Path]:
    """Delete the folders of processes of this user that have ended, and return them."""
    gone = []
    for path in sorted(place.glob("gellib-*-*")):
        found = _OURS.fullmatch(path.name)
        if found is None or is_alive(int(found[1])) or path.is_symlink() or not path.is_dir():
            continue
        if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
            continue
        shutil.rmtree(path, ignore_errors=True)
        gone.append(path)
    return gone
