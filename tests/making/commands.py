"""The command `gellib` in a process of its own, as from a terminal."""

from __future__ import annotations

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


def end(process: subprocess.Popen[str], timeout_s: float = 500) -> tuple[int, str]:
    """Wait for a command; return its exit status and what it printed, which is no traceback."""
    output = process.communicate(timeout=timeout_s)[0]
    assert "Traceback" not in output, output
    return process.returncode, output


def gellib(*words: object, cwd: Path, **more) -> tuple[int, str]:
    """Run `gellib` with some words, as `start` and `end` do."""
    return end(start(*words, cwd=cwd, **more))
