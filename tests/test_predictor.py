"""Which run is asked, and what a finished run answers."""

import json
import shutil

import pytest
from sweepmaker import GRID, make_images, make_run, make_sweep

from gellib.predictor import (
    Prediction,
    Predictor,
    PredictorError,
    expand_files,
    find_best_run,
    list_runs,
)
from gellib.runs import RunFolder


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs dir")
    make_sweep(folder / "runs" / "gel", folder / "data", failed=(5,))
    images = make_images(folder / "data", {"train": 3, "val": 9, "test": 11})
    params = {"dataset_dir": str(folder / "data"), "model_id": 7}
    make_run(folder / "runs" / "single" / "one", images, params, root=folder / "data", accuracy=1.0)
    return folder / "runs"


def val(run):
    return run.read_record()["metrics"]["val"]


def test_runs_of_all_sweeps_are_listed_best_first(runs_dir):
    runs = list_runs(runs_dir)
    assert len(runs) == 12, "11 of the sweep are done, and a single one"
    keys = [(-val(r)["accuracy"], val(r)["loss"], r.path.name) for r in runs]
    assert keys == sorted(keys)
    assert runs[0].path.name == "one" and find_best_run(runs_dir).path == runs[0].path


def test_one_sweep_and_one_run_are_folders_too(runs_dir):
    assert len(list_runs(runs_dir / "gel")) == 11
    only = list_runs(runs_dir / "single" / "one")
    assert [run.path for run in only] == [runs_dir / "single" / "one"]


def test_equal_runs_go_by_loss_then_by_name(tmp_path):
    images = make_images(tmp_path / "data", {"train": 2, "val": 4, "test": 4})
    for name in ("b", "a", "c"):
        params = {"dataset_dir": str(tmp_path / "data"), "model_id": 1}
        run = make_run(tmp_path / "runs" / name, images, params, root=tmp_path, accuracy=0.8)
    assert [r.path.name for r in list_runs(tmp_path / "runs")] == ["a", "b", "c"]
    record = run.read_record()
    record["metrics"]["val"]["loss"] -= 0.1
    run = RunFolder(tmp_path / "runs" / "c")
    record["name"] = "c"
    run.record.write_text(json.dumps(record))
    assert [r.path.name for r in list_runs(tmp_path / "runs")] == ["c", "a", "b"]


def test_what_cannot_answer_is_not_listed(tmp_path):
    sweep = make_sweep(tmp_path / "gel", tmp_path / "data", grid=GRID[:3])
    first, second, third = (r.path for r in sweep.run_folders())
    RunFolder(first).model.unlink()
    shutil.copytree(second, sweep.path / "left-behind")
    RunFolder(third).record.write_text('{"schema": 1, "sta')
    assert [r.path for r in list_runs(tmp_path)] == [second]
    with pytest.raises(PredictorError, match="the model of .* is gone.*Run it again"):
        Predictor(first)
    with pytest.raises(PredictorError, match="not a finished run: there is no record of it"):
        Predictor(third)


def test_a_failed_run_cannot_answer(tmp_path):
    sweep = make_sweep(tmp_path / "gel", tmp_path / "data", grid=GRID[:2], failed=(1,))
    with pytest.raises(PredictorError, match="not a finished run: it has failed"):
        Predictor(sweep.run_folders()[0])


def test_no_runs_say_which_command_makes_some(tmp_path):
    with pytest.raises(PredictorError, match="No finished run.*gellib sweep runs/gel.yaml"):
        find_best_run(tmp_path / "nothing")
    assert list_runs(tmp_path / "nothing") == []


def test_folders_become_their_images_and_missing_files_stay(tmp_path):
    make_images(tmp_path / "data", {"test": 2})
    (tmp_path / "data" / "notes.txt").write_text("no image")
    files = expand_files([tmp_path / "gone.png", tmp_path / "data"])
    assert [file.name for file in files] == [
        "gone.png", "gel_00.png", "gel_01.png", "not_gel_00.png", "not_gel_01.png",
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    with pytest.raises(PredictorError, match="no images: got .*empty; expected image files"):
        expand_files([tmp_path / "empty"])


def test_a_prediction_as_json():
    good = Prediction("a.png", "gel", {"gel": 0.9, "not_gel": 0.1}, "runs/gel/01")
    assert good.to_dict() == {
        "file": "a.png",
        "label": "gel",
        "probabilities": {"gel": 0.9, "not_gel": 0.1},
        "run": "runs/gel/01",
    }
    assert Prediction("a.png", error="empty").to_dict() == {"file": "a.png", "error": "empty"}
