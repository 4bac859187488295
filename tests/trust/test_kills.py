"""Killed at random moments, whatever dies: the same command again completes the sweep."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest
from making.commands import make_two_runs

from gellib.base.paths import PROJECT_ROOT
from gellib.runs import SweepFolder

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills by the ids of Linux"),
]
# What depends on the clock and on the folder.
_OWN = ["config_hash", "dataset", "training_time_mins", "inference_time_secs", "features_s",
        "total_s", "images_per_s"]  # fmt: skip


def start(file: Path, temporary: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gellib", "sweep", str(file), "--jobs", "1"]
    env = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(PROJECT_ROOT)}
    return subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=file.parent
    )


def kind(process: psutil.Process, command: int) -> str:
    """Name what a process of a sweep is."""
    if process.pid == command:
        return "command"
    words = " ".join(process.cmdline())
    for word in ("resource_tracker", "forkserver"):
        if word in words:
            parent = process.parent()
            forked = parent is not None and parent.pid != command
            return "kernel or other fork" if forked else word
    return "other"


def kill_one(process: subprocess.Popen[bytes], random_: random.Random) -> tuple[str, list[str]]:
    """Kill the command or a process of its tree; return what it was, and what is left of it."""
    try:
        tree = [psutil.Process(process.pid)]
        tree += tree[0].children(recursive=True)
        # The command itself in every second case: the most happens there.
        victim = tree[0] if random_.random() < 0.5 else random_.choice(tree)
        what = kind(victim, process.pid)
        victim.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        process.wait()
        return "had ended", []
    process.wait()  # without one of its processes it completes, or says what is missing
    # A server that is still importing sees only afterwards that it is no longer needed.
    _, alive = psutil.wait_procs(tree, timeout=120)
    return what, [str(left) for left in alive if left.status() != psutil.STATUS_ZOMBIE]


def results(file: Path) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """What a sweep found, without times: its table, and each run's predictions."""
    folder = SweepFolder(file.parent / "small")
    table = pd.read_csv(folder.results)
    table = table.drop(columns=[name for name in _OWN if name in table])
    return table, {run.path.name: run.predictions.read_bytes() for run in folder.run_folders()}


def problems_of(file: Path, whole: Path) -> list[str]:
    """Say what a completed sweep has too much, and what differs from one that was not stopped."""
    folder = file.parent / "small"
    hidden = [path for path in folder.rglob(".*") if path.is_file() and path.name != ".lock"]
    found = [f"left: {path}" for path in [*hidden, *folder.rglob("running")]]
    (table, predictions), (expected, theirs) = results(file), results(whole)
    found += [] if table.equals(expected) else ["the table differs"]
    return found + ([] if predictions == theirs else ["predictions differ"])


@pytest.mark.timeout(5000)
def test_a_sweep_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path, full):
    seed = random.randrange(10**6) if full else 3
    random_, killed, problems = random.Random(seed), Counter[str](), []
    with tempfile.TemporaryDirectory(prefix="t-") as place:
        temporary = Path(place)
        whole = make_two_runs(tmp_path / "whole")
        began = time.monotonic()
        assert start(whole, temporary).wait() == 0
        length = time.monotonic() - began
        for sweep in range(10 if full else 1):
            file, moments = make_two_runs(tmp_path / f"killed{sweep}"), []
            found: list[str] = []
            for _ in range(5 if full else 2):
                process = start(file, temporary)
                moments.append(round(random_.uniform(0, 0.8 * length), 2))
                time.sleep(moments[-1])
                what, left = kill_one(process, random_)
                killed[what] += 1
                moments.append(what)
                found += [f"outlived it: {one}" for one in left]
            status = start(file, temporary).wait()
            found += [f"exit status {status}"] if status else problems_of(file, whole)
            problems += [f"{moments}: {problem}" for problem in found]
            print(f"sweep {sweep + 1}:", moments, found, flush=True)
        problems += [f"left: {path}" for path in temporary.iterdir()]
    print(f"seed {seed}, a sweep takes {length:.0f} s, killed:", dict(killed))
    assert problems == []
