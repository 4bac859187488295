"""The same sweep on a Dask cluster of real processes: a scheduler, and workers under nannies."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from making.folders import make_stripes_and_dots
from making.sweeps import make_sweep_file

import gellib
from gellib.base.paths import PACKAGE_DIR
from gellib.runs import RunFolder, SweepFolder
from gellib.sweeps import SweepError, load_sweep, run_sweep
from gellib.sweeps.connection import check_cluster, connect
from gellib.sweeps.same_package import check_workers, hash_source, package_facts

pytestmark = [
    pytest.mark.notebooks,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs Unix signals"),
]

LOCAL = ["--host", "127.0.0.1", "--no-dashboard"]


def silent(line):
    pass


class Processes:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._start("scheduler", *LOCAL, "--port", str(port), "--no-show")

    def add_worker(self, *options, **env):
        common = [*LOCAL, "--nthreads", "1", "--local-directory", str(self.folder)]
        return self._start("worker", self.address, *common, *options, **env)

    def _start(self, kind, *options, **env):
        """Start one, in a folder without modules where the environment says what to import."""
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options]
        cwd = self.folder if env else None
        self.started.append(
            subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **env}, cwd=cwd)
        )
        return self.started[-1]

    @contextlib.contextmanager
    def client(self, workers):
        from distributed import Client

        with Client(self.address, timeout="60s", set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=120)
            client.get_task_stream()  # from now on it is kept
            yield client

    def stop(self):
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Two workers, of which one offers a GPU."""
    processes = Processes(tmp_path_factory.mktemp("dask"))
    processes.add_worker("--name", "plain")
    processes.add_worker("--name", "gpu", "--resources", "GPU=1")
    yield processes
    processes.stop()


def done_by(client, function):
    """Addresses of the workers that have done a function's tasks, one a task."""
    stream = client.get_task_stream()
    return [entry["worker"] for entry in stream if entry["key"].startswith(function)]


def wait_for(condition, seconds=120):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


def finished(folder):
    """Records of runs that ended well, by the time they were written."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.glob("*/record.json")
        if not (path.parent / "running").exists()
        and RunFolder(path.parent).read_record().status == "done"
    }


def sweep_of(folder, processes):
    """Start a sweep in a thread; return it, and the future of its outcome."""
    sweep = load_sweep(make_sweep_file(folder))
    pool = ThreadPoolExecutor(1)
    options = {"scheduler": processes.address, "summary": False, "log": silent}
    return sweep, pool.submit(run_sweep, sweep, **options)


def test_features_are_made_once_in_shards_by_all_workers_and_runs_spread(
    tmp_path, processes, monkeypatch
):
    monkeypatch.setattr("gellib.sweeps.cluster.shard_size", lambda config: 4)
    file = make_sweep_file(tmp_path)
    make_stripes_and_dots(tmp_path / "more", train=20, test=8)
    # Stripes all look alike.
    changes = {"dataset_dir": str(tmp_path / "more"), "precision": "fp32"}
    changes |= {"group_duplicates": False}
    sweep = load_sweep(file, overrides=changes)
    lines = []
    with processes.client(workers=2) as client:
        outcome = run_sweep(sweep, scheduler=processes.address, summary=False, log=lines.append)
        assert outcome.counts == {"done": 4}
        assert sum(line.startswith("features of 56 images by resnet18") for line in lines) == 1
        shards = done_by(client, "shard_on_worker")
        assert len(shards) == 14
        assert len(set(shards)) == 2
        assert len(done_by(client, "join_on_worker")) == 1
        assert len(set(done_by(client, "run_on_worker"))) == 2
    assert_features_are_those_without_shards(sweep, tmp_path)


def assert_features_are_those_without_shards(sweep, folder):
    from gellib.models.compute import Compute
    from gellib.models.features import FeatureStore
    from gellib.models.training import compute_features
    from gellib.sweeps.prepare import load_image_set
    from gellib.training_run import load_backbone

    (note,) = (folder / "cache").glob("ready-*.json")
    names = json.loads(note.read_text())["files"]
    # The shards are gone.
    shapes = [np.load(path).shape for path in (folder / "cache").glob("*.npy")]
    assert not [shape for shape in shapes if shape[-2:] == (4, 512)]
    config = next(iter(sweep.configs.values()))
    store = FeatureStore(folder / "again")
    compute = Compute(precision=config.precision, store=store)
    compute_features(config, load_image_set(config), load_backbone(config), compute)
    assert len(names) == 3  # batch norms, plain and random views
    assert store.files == names
    for name in names:
        made, expected = (np.load(folder / where / name) for where in ("cache", "again"))
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)


def test_a_killed_worker_costs_its_run_and_nothing_else(tmp_path, processes):
    with processes.client(workers=2) as client:
        pids = client.run(os.getpid)
        before = len(done_by(client, "run_on_worker"))
        sweep, future = sweep_of(tmp_path, processes)

        def killable():
            """Worker that runs a notebook while another run is finished."""
            running = [path.parent for path in sweep.folder.glob("*/running")]
            underway = [path for path in running if not (path / "record.json").exists()]
            if not finished(sweep.folder) or not underway:
                return None
            busy = {
                worker
                for worker, keys in client.processing().items()
                if any(str(key).startswith("run_on_worker") for key in keys)
            }
            return next(iter(busy & set(pids)), None)

        victim = wait_for(killable)
        done = finished(sweep.folder)
        os.kill(pids[victim], signal.SIGKILL)
        outcome = future.result(240)
        assert outcome.counts == {"done": 4}
        assert done
        assert done.items() <= finished(sweep.folder).items()
        assert len(done_by(client, "run_on_worker")) - before == 4


def test_gpu_runs_go_to_workers_that_offer_one(tmp_path, processes):
    import torch

    sweep = load_sweep(
        make_sweep_file(tmp_path), overrides={"hardware_type": "gpu", "opt_alg": "sgd"}
    )
    with processes.client(workers=2) as client:
        named = {info["name"]: address for address, info in workers_of(client).items()}
        before = len(done_by(client, "run_on_worker"))
        outcome = run_sweep(sweep, scheduler=processes.address, summary=False, log=silent)
        assert set(done_by(client, "run_on_worker")[before:]) == {named["gpu"]}
    # What it offers is not looked at: where there is none, the run says so.
    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        assert outcome.counts == {"failed": 2}
        reasons = [r.read_record().reason for r in SweepFolder(sweep.folder).run_folders()]
        assert all("no GPU" in reason for reason in reasons)


def workers_of(client):
    return client.scheduler_info(n_workers=-1)["workers"]


def test_gpu_runs_are_skipped_where_no_worker_offers_one_and_a_lost_scheduler_is_told(tmp_path):
    first = Processes(tmp_path / "dask")
    try:
        first.add_worker()
        file = make_sweep_file(tmp_path)
        file.write_text(file.read_text() + "  hardware_type: [cpu, gpu]\n")
        sweep = load_sweep(file, overrides={"classifier_head": "single"})
        options = {"summary": False, "log": silent}
        with first.client(workers=1), ThreadPoolExecutor(1) as pool:
            future = pool.submit(run_sweep, sweep, scheduler=first.address, **options)
            done = wait_for(lambda: finished(sweep.folder))
            time.sleep(0.5)  # for the news to come from the worker
            first.scheduler.kill()
            with pytest.raises(SweepError, match="the scheduler was lost with 1 of 2 runs to do"):
                future.result(120)
    finally:
        first.stop()
    second = Processes(tmp_path / "dask")
    try:
        second.add_worker()
        outcome = run_sweep(sweep, scheduler=second.address, **options)
    finally:
        second.stop()
    assert outcome.counts == {"done": 2, "skipped": 2}
    assert done.items() <= finished(sweep.folder).items()
    reasons = [r.read_record().reason for r in SweepFolder(sweep.folder).run_folders()]
    assert reasons.count("no worker of the cluster offers the resource GPU=1") == 2


def test_a_scheduler_that_does_not_answer_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("gellib.sweeps.connection._ANSWER_WITHIN", "2s")
    sweep = load_sweep(make_sweep_file(tmp_path))
    with pytest.raises(SweepError, match="no Dask scheduler answers at tcp://127.0.0.1:1"):
        run_sweep(sweep, scheduler="tcp://127.0.0.1:1", log=silent)


def package_copy(folder):
    """Copy the package to a folder that can be put on a worker's path."""
    shutil.copytree(
        PACKAGE_DIR,
        folder / "gellib",
        ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"),
    )
    return folder


def test_workers_of_another_gellib_are_refused_before_and_during_a_sweep(tmp_path):
    """A worker is held by the source of its gellib, not by where it lies."""
    same = package_copy(tmp_path / "same")
    changed = package_copy(tmp_path / "changed")
    (changed / "gellib" / "config" / "rules.py").open("a").write("\nANOTHER = True\n")
    older = package_copy(tmp_path / "older")
    (older / "gellib" / "sweeps" / "same_package.py").unlink()
    (tmp_path / "dask").mkdir()
    cluster = Processes(tmp_path / "dask")
    try:
        # The sweep begins without a worker, and the first one that joins has another gellib.
        sweep, future = sweep_of(tmp_path, cluster)
        wait_for(lambda: SweepFolder(sweep.folder).sweep.exists())
        worker = cluster.add_worker(PYTHONPATH=str(changed))
        with pytest.raises(SweepError) as late:
            future.result(120)
        assert f"at {changed / 'gellib' / '__init__.py'} (source " in str(late.value)
        assert f"which is gellib {gellib.__version__} at {gellib.__file__}" in str(late.value)
        assert "4 of 4 runs are to do: install the same gellib" in str(late.value)
        # Now it is there from the start.
        with pytest.raises(SweepError, match="changed/gellib.*nothing was run: install the same"):
            run_sweep(sweep, scheduler=cluster.address, log=silent)
        assert not SweepFolder(sweep.folder).records()
        cluster.add_worker(PYTHONPATH=str(same))
        with cluster.client(workers=2) as client:
            worker.terminate()
            worker.wait(30)
            wait_for(lambda: len(workers_of(client)) == 1)
            notes = []
            assert "gpu" in check_cluster(cluster.address, notes.append)
            assert not notes
            cluster.add_worker(PYTHONPATH=str(older))
            client.wait_for_workers(2, timeout=120)
            with pytest.raises(SweepError, match="cannot name its gellib .*same_package"):
                check_cluster(cluster.address, silent)
    finally:
        cluster.stop()


def test_the_source_decides_whatever_its_line_ends(tmp_path):
    for folder, text in (("unix", b"a\nb\n"), ("windows", b"a\r\nb\r\n"), ("other", b"a\nc\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").write_bytes(text)
    unix, windows, other = (hash_source(tmp_path / f) for f in ("unix", "windows", "other"))
    assert unix == windows != other


def test_another_python_of_a_worker_is_a_note(monkeypatch):
    class Client:
        def run(self, function, on_error):
            return {"tcp://one": there}

    there = package_facts()
    facts = dataclasses.replace(there, torch="1.0")
    monkeypatch.setattr("gellib.sweeps.same_package.package_facts", lambda: facts)
    notes = []
    check_workers(Client(), notes.append)
    assert len(notes) == 1 and notes[0].endswith("and torch 1.0")


def test_of_what_fails_in_the_loop_only_a_sender_left_waiting_is_not_said(caplog):
    with connect(None, jobs=1, threads=1, gpus=0) as cluster:
        loop = cluster.client.loop.asyncio_loop

        async def leave(error):
            loop.create_future().set_exception(error)

        for error in (asyncio.TimeoutError("Timeout"), ValueError("something else")):
            asyncio.run_coroutine_threadsafe(leave(error), loop).result(10)
        gc.collect()
    said = [str(record.exc_info[1]) for record in caplog.records if record.name == "asyncio"]
    assert said == ["something else"]


def test_of_what_a_local_worker_logs_the_end_of_its_scheduler_is_not_said(caplog):
    from distributed.comm import CommClosedError

    with connect(None, jobs=1, threads=1, gpus=0):
        log = logging.getLogger("distributed.worker")
        for error in (CommClosedError("closed"), OSError("something else")):
            try:
                raise error
            except OSError:
                log.exception("during heartbeat")
        log.error("without an exception")
    said = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [str(record.exc_info and record.exc_info[1]) for record in said] == [
        "something else",
        "None",
    ]
