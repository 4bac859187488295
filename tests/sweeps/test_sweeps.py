"""Sweeps through real papermill, real kernels and real Dask: done, failed, killed, resumed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import nbformat
import numpy as np
import pandas as pd
import pytest
from making.sweeps import make_sweep_file

from gellib.base.paths import PROJECT_ROOT
from gellib.runs import RunFolder, SweepFolder
from gellib.sweeps import SweepError, load_sweep, run_sweep, status_of
from gellib.sweeps.live_state import read_activities

pytestmark = pytest.mark.notebooks

TIMES = ["training_time_mins", "inference_time_secs", "features_s", "total_s", "images_per_s"]


SEEN = {}  # what the live state of a sweep said while it ran, by its file


@contextlib.contextmanager
def watched(folder):
    """Collect the sentences of a folder's live state, a hundred times per second."""
    seen, stop = [], threading.Event()

    def watch():
        while not stop.wait(0.01):
            seen.extend(str(activity) for activity in read_activities(folder).values())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A sweep of four runs that went well, in a folder with an awkward name."""
    folder = tmp_path_factory.mktemp("a földer {x}")
    file = make_sweep_file(folder)
    lines, sweep = [], load_sweep(file)
    with watched(SweepFolder(sweep.folder).live) as seen:
        outcome = run_sweep(sweep, log=lines.append)
    SEEN[file] = seen
    return file, outcome, lines


def results(file):
    return pd.read_csv(file.parent / "small" / "results.csv").drop(columns=TIMES)


class TestFinished:
    def test_every_run_left_all_its_files(self, finished):
        file, outcome, _ = finished
        assert outcome.ok
        assert outcome.counts == {"done": 4}
        for run in SweepFolder(file.parent / "small").run_folders():
            for path in (run.notebook, run.config, run.history, run.predictions, run.model):
                assert path.is_file(), path
            assert {p.name for p in run.figures.iterdir()} >= {"loss_accuracy.png", "roc_curve.png"}
            assert not run.running.exists()
            assert not list(run.path.glob(".*"))

    def test_summary_was_executed_and_is_small(self, finished):
        _, outcome, _ = finished
        assert outcome.summary.stat().st_size < 1_000_000
        node = nbformat.read(outcome.summary, as_version=4)
        code = [cell for cell in node.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code)
        assert any("image/png" in o.get("data", {}) for c in code for o in c.outputs)

    def test_the_summary_is_a_page_too(self, finished):
        file, outcome, _ = finished
        assert outcome.page == SweepFolder(file.parent / "small").page
        page = outcome.page.read_text(encoding="utf-8")
        assert "<title>images: Does the machinery work?</title>" in page
        assert "<b style='color:#00507D'>Use:</b>" in page.replace('"', "'")
        assert page.count("<img") == page.count("<img alt=") > 5

    def test_a_line_is_told_for_every_run(self, finished):
        _, _, lines = finished
        reported = [line for line in lines if "test accuracy" in line]
        assert len(reported) == 4
        assert sorted(reported)[0].startswith("[  1 of 4] 01-single-adam")
        assert any(line.startswith("features of 28 images by resnet18") for line in lines)

    def test_live_state_said_each_phase_and_is_gone(self, finished):
        file, _, _ = finished
        seen = list(dict.fromkeys(SEEN[file]))
        assert seen[0] == "reading the images, and loading torch"
        pattern = r"resnet18 features(: \d+ of 28 images|, 2 views each: \d+ of 40 views)"
        assert any(re.match(pattern, line) for line in seen), seen
        runs = [f"{n} of 4 runs done" for n in range(5)]
        assert [line for line in seen if line in runs][0] == runs[0]
        assert seen[-1] == "making the summary"
        assert not SweepFolder(file.parent / "small").live.exists()

    def test_executed_notebooks_name_no_temporary_file(self, finished):
        file, _, _ = finished
        run = RunFolder(file.parent / "small" / "01-single-adam")
        node = nbformat.read(run.notebook, as_version=4)
        assert node.metadata.papermill["output_path"].endswith("01-single-adam/train.ipynb")

    def test_record_agrees_with_the_predictions(self, finished):
        file, _, _ = finished
        run = RunFolder(file.parent / "small" / "03-multi-adam")
        record, table = run.read_record(), run.read_predictions()
        for part, split in {"val": "cv", "test": "test"}.items():
            metrics, rows = record.metrics[part], table[table.split == split]
            assert metrics["n"] == len(rows)
            own = [rows]
            if split == "cv":  # one out-of-fold score everywhere: the mean over the repeats
                seen = pd.read_csv(run.out_of_fold)
                own = [seen[seen["repeat"] == repeat] for repeat in sorted(set(seen["repeat"]))]
            right = [(rows["label"] == rows["predicted"]).mean() for rows in own]
            assert metrics["accuracy"] == pytest.approx(np.mean(right), abs=1e-12)
        assert record.data.counts["dots"] == {"cv": 10, "test": 4}
        assert run.out_of_fold.is_file()
        assert record.weights.name == "none"

    def test_again_runs_nothing(self, finished):
        file, _, _ = finished
        before = {p: p.stat().st_mtime_ns for p in (file.parent / "small").glob("*/record.json")}
        lines = []
        assert run_sweep(load_sweep(file), summary=False, log=lines.append).ok
        assert lines == ["reading the images, and loading torch"]
        assert before == {p: p.stat().st_mtime_ns for p in before}

    def test_only_what_is_missing_runs(self, finished):
        file, _, _ = finished
        expected = results(file)
        (file.parent / "small" / "02-single-sgd" / "record.json").unlink()
        sweep = load_sweep(file)
        folder = SweepFolder(sweep.folder)
        assert status_of(folder, sweep)["02-single-sgd"] == "to do"
        lines = []
        run_sweep(sweep, summary=False, log=lines.append)
        assert [line[:26] for line in lines if "test accuracy" in line] == [
            "[  2 of 4] 02-single-sgd  "
        ]
        # The same configuration and seed: equal to the last bit.
        pd.testing.assert_frame_equal(results(file), expected)

    def test_finished_runs_of_another_configuration_are_not_written_over(self, finished):
        file, _, _ = finished
        other = load_sweep(file, overrides={"num_epochs": 1})
        with pytest.raises(SweepError, match="num_epochs is 2 there, 1 here. Give --out DIR"):
            run_sweep(other)
        assert len(set(status_of(SweepFolder(other.folder), other).values())) == 1

    def test_two_processes_predict_the_same_to_the_last_bit(self, finished, tmp_path):
        file, _, _ = finished
        copy = load_sweep(
            file,
            overrides={"classifier_head": "multi", "cache_dir": str(tmp_path / "cache")},
            out=tmp_path / "again",
        )
        run_sweep(copy, summary=False, log=lambda line: None)
        for ours, theirs in (("01-adam", "03-multi-adam"), ("02-sgd", "04-multi-sgd")):
            again = RunFolder(tmp_path / "again" / ours).predictions.read_bytes()
            assert again == RunFolder(file.parent / "small" / theirs).predictions.read_bytes()


def test_changed_images_are_noticed(finished, tmp_path):
    file, _, _ = finished
    shutil.copytree(file.parent, tmp_path / "copy")
    text = (tmp_path / "copy" / "small.yaml").read_text()
    images = tmp_path / "copy" / "images"
    # The same path as before, another content: as if the user had added an image.
    original = file.parent / "images"
    extra = original / "train" / "dots" / "extra.png"
    shutil.copy(images / "test" / "dots" / "00.png", extra)
    try:
        with pytest.raises(SweepError, match="the images have changed since"):
            run_sweep(load_sweep(file))
    finally:
        extra.unlink()
    assert str(original) in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("pretrained_model", "resnet81", "'pretrained_model'.*resnet81.*did you mean 'resnet18'"),
        ("augmentation", "rotate(10)", "'augmentation'.*rotate.*rotation"),
        ("weights", "imagnet", "'weights': got 'imagnet'.*did you mean 'imagenet'"),
    ],
)
def test_what_torchvision_does_not_know_ends_it_before_any_run(tmp_path, name, value, words):
    sweep = load_sweep(make_sweep_file(tmp_path), overrides={name: value})
    with pytest.raises(SweepError, match=words):
        run_sweep(sweep, log=lambda line: None)
    assert not list(sweep.folder.glob("*/record.json"))


def test_images_that_no_run_could_read_are_named_before_any_run(tmp_path):
    file = make_sweep_file(tmp_path)
    dots = tmp_path / "images" / "train" / "dots"
    for name, content in (
        ("broken.png", b"\x89PNG\r\n\x1a\n"),
        ("phone.jpg", b"\0\0\0\x18ftypheic" + bytes(40)),
    ):
        (dots / name).write_bytes(content)
    sweep = load_sweep(file)
    with pytest.raises(SweepError) as refused:
        run_sweep(sweep, log=lambda line: None)
    said = str(refused.value)
    assert said.startswith("2 of 30 images cannot be read:") and "skip_bad_images true" in said
    assert "broken.png: " in said and "HEIC" in said
    assert not list(sweep.folder.glob("*/record.json"))


def test_failure_in_a_cell_is_on_record_with_its_notebook(tmp_path):
    file = make_sweep_file(tmp_path)
    (tmp_path / "images" / "train" / "dots" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    file.write_text(
        file.read_text().replace("opt_alg: [adam, sgd]", "skip_bad_images: [true, false]")
    )
    outcome = run_sweep(load_sweep(file), log=lambda line: None)
    assert not outcome.ok
    assert outcome.counts == {"done": 2, "failed": 2}
    assert outcome.failed == ["02-single-False", "04-multi-False"]
    run = RunFolder(tmp_path / "small" / "02-single-False")
    record = run.read_record()
    assert record.error.ename == "TrainingRunError"
    assert "1 of 29 images cannot be read" in record.reason
    assert "broken.png" in record.reason
    assert "cannot be read" in run.notebook.read_text()
    skipped = RunFolder(tmp_path / "small" / "01-single-True").read_record().data
    assert [bad.file for bad in skipped.skipped_images] == ["train/dots/broken.png"]
    # Failed runs run again; those that are done do not.
    (tmp_path / "images" / "train" / "dots" / "broken.png").unlink()
    statuses = status_of(SweepFolder(tmp_path / "small"), load_sweep(file))
    assert statuses["02-single-False"] == "failed"


def test_time_limit_is_on_record(tmp_path):
    file = make_sweep_file(tmp_path)
    sweep = load_sweep(
        file, overrides={"opt_alg": "sgd", "classifier_head": "single", "num_epochs": 100_000}
    )
    outcome = run_sweep(sweep, limit_s=15, summary=False, log=lambda line: None)
    assert outcome.counts == {"failed": 1}
    record = RunFolder(tmp_path / "small" / next(iter(sweep.configs))).read_record()
    assert record.reason == "stopped at the time limit of 15 s"


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs Unix signals")
def test_killed_sweep_is_resumed_and_ends_as_if_undisturbed(finished, tmp_path):
    undisturbed, _, _ = finished
    file = make_sweep_file(tmp_path)
    command = [sys.executable, "-m", "gellib", "sweep", str(file)]
    process = subprocess.Popen(
        command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + 120
    records = tmp_path / "small"
    while not list(records.glob("*/record.json")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {
        p: p.stat().st_mtime_ns
        for p in records.glob("*/record.json")
        if (p.parent / "train.ipynb").exists()
    }
    assert len(done) < 4
    again = subprocess.run(
        [*command, "--no-summary"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert done.items() <= {p: p.stat().st_mtime_ns for p in records.glob("*/record.json")}.items()
    ours, theirs = results(file), results(undisturbed)
    # The configurations differ in the paths of their images, and so do the hashes.
    drop = ["config_hash"]
    pd.testing.assert_frame_equal(ours.drop(columns=drop), theirs.drop(columns=drop))


def test_gpu_runs_are_skipped_with_the_reason_where_there_is_none(tmp_path):
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("there is a GPU here")
    file = make_sweep_file(tmp_path)
    sweep = load_sweep(file, overrides={"hardware_type": "gpu"})
    lines = []
    outcome = run_sweep(sweep, log=lines.append)
    assert outcome.ok
    assert outcome.counts == {"skipped": 4}
    (line,) = [line for line in lines if "skipped" in line]
    assert line.startswith("4 runs are skipped: no GPU found")
    table = pd.read_csv(outcome.results)
    assert table.reason.str.contains("no GPU").all()
    assert table.accuracy.isna().all()


def test_runs_that_insist_on_pretrained_weights_are_skipped_without(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    file, lines = make_sweep_file(tmp_path), []
    overrides = {"weights": "pretrained", "pretrained_model": "shufflenet_v2_x0_5"}
    outcome = run_sweep(load_sweep(file, overrides=overrides), log=lines.append)
    assert outcome.ok and outcome.counts == {"skipped": 4}
    table = pd.read_csv(outcome.results)
    assert table.reason.str.startswith("no pretrained weights at hand: ").all()
    (line,) = [line for line in lines if "skipped" in line]
    assert line.startswith("4 runs are skipped: no pretrained weights at hand")


def test_a_folder_takes_one_sweep_at_a_time(tmp_path):
    from filelock import FileLock

    sweep = load_sweep(make_sweep_file(tmp_path))
    sweep.folder.mkdir()
    with (
        FileLock(SweepFolder(sweep.folder).lock),
        pytest.raises(SweepError, match="a sweep is running in .* already"),
    ):
        run_sweep(sweep)


def test_wrong_image_folder_ends_it_before_any_run(tmp_path):
    sweep = load_sweep(make_sweep_file(tmp_path), overrides={"dataset_dir": str(tmp_path / "none")})
    with pytest.raises(SweepError, match="the images cannot be used: .*none"):
        run_sweep(sweep)
    assert not list(sweep.folder.glob("*/record.json"))


def test_records_are_json_that_others_can_read(finished):
    file, _, _ = finished
    for path in (file.parent / "small").glob("*/record.json"):
        record = json.loads(path.read_text())
        assert record["schema"] == 1
        assert record["config"]["num_epochs"] == 2
