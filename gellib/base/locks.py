"""Locks between processes beside what they make, also where nothing can be made."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from gellib.base.files import CannotWriteError, refused_in_words


@contextlib.contextmanager
def locked_if_allowed(file: Path) -> Iterator[CannotWriteError | None]:
    """Hold a lock; where its folder is closed or full, yield why, without a lock.

    What is there already may be read all the same, such as the weights and features that a
    laboratory shares: files are renamed into their place when they are whole.
    """
    lock, refused = FileLock(file), None
    try:
        with refused_in_words(file.parent):
            file.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    except CannotWriteError as err:
        refused = err
    try:
        yield refused
    finally:
        lock.release()
