"""Folders that may be read and not be written to."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def without_right(folder: Path) -> Iterator[None]:
    """Take the right to write, as of another user's folder (EACCES); root keeps it."""
    inside = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in inside:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in inside:
            path.chmod(0o755)


@contextlib.contextmanager
def read_only_disk(folder: Path) -> Iterator[None]:
    """Mount a folder on itself, so that it may only be read (EROFS), by root too."""
    words = ["mount", "--bind", str(folder), str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("may not mount a folder")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def closed(folder: Path) -> contextlib.AbstractContextManager[None]:
    """Close a folder to this process, whoever it is."""
    if os.name == "nt":
        pytest.skip("rights of POSIX")
    return read_only_disk(folder) if os.geteuid() == 0 else without_right(folder)
