"""Commands that run at the same time, in one folder or with one cache, and those who read there."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from making.commands import end, gellib, make_two_runs, start

from gellib.runs import SweepFolder
from gellib.sweeps.plan import is_running, locked

TIMES = ["training_time_mins", "inference_time_secs", "features_s", "total_s", "images_per_s"]


def scores(folder: Path) -> tuple[pd.DataFrame, dict[str, bytes]]:
    """Return what a sweep found, without times."""
    sweep = SweepFolder(folder)
    table = pd.read_csv(sweep.results)
    table = table.drop(columns=[name for name in TIMES if name in table])
    return table, {run.path.name: run.predictions.read_bytes() for run in sweep.run_folders()}


@pytest.mark.notebooks
def test_a_second_sweep_is_refused_and_readers_read(tmp_path):
    """While a sweep runs: another command of it, its status again and again, and predictions."""
    file = make_two_runs(tmp_path)
    folder = SweepFolder(tmp_path / "small")
    image = next((tmp_path / "images").rglob("*.png"))
    # Both at once: one of them gets the folder, whichever it is.
    both = [start("sweep", file, "--jobs", "1", cwd=tmp_path) for _ in range(2)]
    seen = []
    while all(process.poll() is None for process in both):
        time.sleep(0.1)
    first, second = sorted(both, key=lambda process: process.poll() is not None)
    status, output = end(second)
    said = f"Error: a sweep is running in {folder.path} already; wait for it, or give another --out"
    assert status == 1 and output.strip().splitlines()[-1] == said
    while first.poll() is None:
        status, output = gellib("status", folder.path, cwd=tmp_path)
        # Before the first file is there, it is not the folder of a sweep.
        assert status == 0 or "is not the folder of a sweep" in output, output
        seen.append(output.split(" runs: ")[-1])
        status, output = gellib("predict", image, "--runs", tmp_path, cwd=tmp_path)
        assert status == 0 or "No finished run" in output, output
    status, output = end(first)
    assert status == 0, output
    assert any("now: " in text for text in seen), seen
    assert [record.done for record in folder.records()] == [True, True]
    assert folder.page.is_file()
    assert gellib("status", folder.path, cwd=tmp_path)[1].endswith("2 runs: 2 done\n")


@pytest.mark.notebooks
def test_five_sweeps_share_a_cache(tmp_path, full):
    """They compute the same features at the same time, and find what one alone finds."""
    n = 5 if full else 2
    file = make_two_runs(tmp_path)
    words = ["sweep", file, "--jobs", "1", "--no-summary"]
    processes = [start(*words, "--out", tmp_path / f"{k}", cwd=tmp_path) for k in range(n)]
    ended = [end(process) for process in processes]
    assert [status for status, _ in ended] == [0] * n, ended
    own = ["-p", "cache_dir", tmp_path / "own", "--out", tmp_path / "a"]
    assert gellib(*words, *own, cwd=tmp_path)[0] == 0
    table, predictions = scores(tmp_path / "a")
    for k in range(n):
        again, theirs = scores(tmp_path / f"{k}")
        other = ["config_hash"]  # the cache has a place in it
        pd.testing.assert_frame_equal(
            again.drop(columns=other, errors="ignore"), table.drop(columns=other, errors="ignore")
        )
        assert theirs == predictions
    cache = tmp_path / "cache"
    assert not [path for path in cache.iterdir() if path.name.startswith(".")]
    # Each array has its note: none was replaced by a half one.
    for array in cache.glob("*.npy"):
        assert json.loads(array.with_suffix(".json").read_text())["checksum"]


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_who_asks_whether_a_sweep_runs_keeps_none_from_starting(tmp_path):
    """A reader holds the lock for a moment: it is no sweep, to another reader or to a sweep."""
    import fcntl

    folder = SweepFolder(tmp_path)
    with locked(folder):
        assert is_running(folder)
    with open(folder.lock, "rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert not is_running(folder)
        threading.Timer(0.2, fcntl.flock, (reader, fcntl.LOCK_UN)).start()
        with locked(folder):
            assert is_running(folder)
    assert not is_running(folder)
