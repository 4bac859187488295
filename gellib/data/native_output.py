"""Catch what a C library writes to the terminal by itself."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()


@contextmanager
def native_output_caught() -> Iterator[list[str]]:
    """Keep the standard error of this process from the terminal; yield its lines, at the end.

    Python's own output is caught as well while it lasts, so it must be short.
    """
    lines: list[str] = []
    with _lock, tempfile.TemporaryFile() as caught:
        try:
            before = os.dup(2)
        except OSError:  # a process without a standard error
            yield lines
            return
        os.dup2(caught.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(before, 2)
            os.close(before)
            caught.seek(0)
            lines += caught.read().decode(errors="replace").splitlines()
