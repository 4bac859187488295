"""One temporary folder per process: what its children and libraries leave goes with it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path

from gellib.base.files import is_alive

_OURS = re.compile(r"gellib-(\d+)-([0-9a-f]{8})-[a-z0-9_]+")
# A path of a socket has 107 signs at most, 24 of them a kernel's (18 multiprocessing's).
_LONGEST = 107 - 24


def temporary_folder() -> str:
    """Return the folder of this process, which is deleted when it ends.

    Folders of processes that were killed are deleted when the next one makes its own.
    """
    return _folder_of(os.getpid())


def socket_folder() -> str:
    """Return that folder for Unix sockets, or one with a short name if its path is too long."""
    folder = temporary_folder()
    if len(os.fsencode(folder)) <= _LONGEST:
        return folder
    short = _short_folder_of(os.getpid())
    return short if len(os.fsencode(short)) <= _LONGEST else tempfile.gettempdir()


@cache
def _short_folder_of(pid: int) -> str:
    # Without a number of a process, by which it would be found after SIGKILL.
    made = tempfile.TemporaryDirectory(prefix="g-", ignore_cleanup_errors=True)
    _kept.append(made)
    return made.name


@cache
def _folder_of(pid: int) -> str:
    place = tempfile.gettempdir()
    delete_left_folders(Path(place))
    # It deletes itself at exit: a plain function of `atexit` would run in a half-dead interpreter.
    prefix = f"gellib-{pid}-{_machine()}-"
    made = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    _kept.append(made)
    return made.name


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _machine() -> str:
    """Name this machine, and the container on it: the number of a process means nothing elsewhere.

    Nodes of a cluster and containers may share a temporary folder.
    """
    names = [platform.node()]
    with contextlib.suppress(OSError):
        names.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:8]


def delete_left_folders(place: Path) -> list[Path]:
    """Delete the folders of this machine's and user's processes that have ended; return them."""
    gone = []
    for path in sorted(place.glob("gellib-*-*")):
        # Another process that starts may delete it at the same time.
        with contextlib.suppress(OSError):
            if _is_left(path):
                shutil.rmtree(path, ignore_errors=True)
                gone.append(path)
    return gone


def _is_left(path: Path) -> bool:
    found = _OURS.fullmatch(path.name)
    if found is None or found[2] != _machine() or is_alive(int(found[1])):
        return False
    if path.is_symlink() or not path.is_dir():
        return False
    return not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()
