"""The command `gellib` in a process of its own, as from a terminal."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gellib.base.paths import PROJECT_ROOT
from making.sweeps import make_sweep_file


def make_two_runs(folder: Path) -> Path:
    """Write images and a sweep of two runs into a folder; returns the sweep file."""
    folder.mkdir(exist_ok=True)
    file = make_sweep_file(folder)
    text = file.read_text(encoding="utf-8").replace("[adam, sgd]", "[adam]")
    file.write_text(text.replace("weights: none", "weights: none\n  explain: false"))
    return file


def start(
    *words: object, cwd: Path, before: Callable[[], None] | None = None, **env: str
) -> subprocess.Popen[str]:
    """Start `gellib` with some words; `before` runs in its process before it begins."""
    paths = [*env.pop("PYTHONPATH", "").split(os.pathsep), str(PROJECT_ROOT)]
    return subprocess.Popen(
        [sys.executable, "-m", "gellib", *map(str, words)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, cwd=cwd, preexec_fn=before,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **env},
    )  # fmt: skip


def as_ordinary_user() -> None:
    """Take from root what lets it write and read everything; for `before` of `start` on Linux."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def end(process: subprocess.Popen[str], timeout_s: float = 500) -> tuple[int, str]:
    """Wait for a command; return its exit status and what it printed, which is no traceback."""
    output = process.communicate(timeout=timeout_s)[0]
    assert "Traceback" not in output, output
    return process.returncode, output


def gellib(*words: object, cwd: Path, **more) -> tuple[int, str]:
    """Run `gellib` with some words, as `start` and `end` do."""
    return end(start(*words, cwd=cwd, **more))


def in_terminal(*words: object, columns: int, cwd: Path) -> tuple[int, str]:
    """Run `gellib` in a terminal of so many columns; return its exit status and what it printed."""
    import fcntl
    import pty
    import struct
    import termios

    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "gellib", *map(str, words)], stdin=its, stdout=its, stderr=its,
        cwd=cwd, env={**env, "PYTHONPATH": str(PROJECT_ROOT), "TERM": "xterm"},
    )  # fmt: skip
    os.close(its)
    said = b""
    try:
        while part := os.read(own, 1 << 16):
            said += part
    except OSError:  # Linux's end of a terminal
        pass
    os.close(own)
    return process.wait(), said.decode("utf-8").replace("\r\n", "\n")
