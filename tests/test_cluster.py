"""The same sweep on a Dask cluster of real processes: a scheduler, and a worker under its nanny."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from smallset import make_sweep

from gellib.sweeps import SweepError, load_sweep, run_sweep

pytestmark = pytest.mark.notebooks


@pytest.fixture
def scheduler(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    local = ["--host", "127.0.0.1"]
    commands = [
        ["scheduler", *local, "--port", str(port), "--no-dashboard", "--no-show"],
        ["worker", address, *local, "--nthreads", "1", "--local-directory", str(tmp_path / "w")],
    ]
    started = [
        subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_" + c[0], *c[1:]])
        for c in commands
    ]
    yield address
    for process in reversed(started):
        process.terminate()
        process.wait(30)


def test_runs_are_done_by_workers_and_gpu_runs_skipped_where_none_offers_one(tmp_path, scheduler):
    file = make_sweep(tmp_path)
    text = file.read_text().replace("opt_alg: [adam, sgd]", "hardware_type: [cpu, gpu]")
    file.write_text(text.replace("classifier_head: [single, multi]", "opt_alg: [adam]"))
    outcome = run_sweep(load_sweep(file), scheduler=scheduler, say=lambda line: None)
    assert outcome.ok
    assert outcome.counts == {"done": 1, "skipped": 1}


def test_a_scheduler_that_does_not_answer_is_told(tmp_path):
    sweep = load_sweep(make_sweep(tmp_path))
    with pytest.raises(SweepError, match="no Dask scheduler answers at tcp://127.0.0.1:1"):
        run_sweep(sweep, scheduler="tcp://127.0.0.1:1", say=lambda line: None)
