"""Which run is asked, and what a finished run predictions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from making.folders import make_gels
from making.sweeps import GRID, make_run, make_sweep

from gellib.base.files import write_csv
from gellib.config import RunConfig
from gellib.data import load_imageset
from gellib.data.splits import split_imageset
from gellib.models.backbones import build_backbone
from gellib.models.compute import Compute
from gellib.models.features import FeatureStore
from gellib.models.training import predict_proba, save_model, train
from gellib.runs import RunFolder
from gellib.training_run.find_runs import PredictorError, find_best_run, list_runs
from gellib.training_run.predictor import Prediction, Predictor, expand_files

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs dir")
    make_sweep(folder / "runs" / "gel", folder / "data", failed=(5,))
    images = make_gels(folder / "data", {"train": 3, "val": 9, "test": 11})
    params = {"dataset_dir": str(folder / "data"), "model_id": 7}
    make_run(folder / "runs" / "single" / "one", images, params, root=folder / "data", accuracy=1.0)
    return folder / "runs"


def val(run):
    return run.read_record().val


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
    images = make_gels(tmp_path / "data", {"train": 2, "val": 4, "test": 4})
    for name in ("b", "a", "c"):
        params = {"dataset_dir": str(tmp_path / "data"), "model_id": 1}
        run = make_run(tmp_path / "runs" / name, images, params, root=tmp_path, accuracy=0.8)
    assert [r.path.name for r in list_runs(tmp_path / "runs")] == ["a", "b", "c"]
    record = run.read_record().to_dict()
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
    with pytest.raises(PredictorError, match="not a finished run: .*: the record is damaged"):
        Predictor(third)
    RunFolder(third).record.unlink()
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
    make_gels(tmp_path / "data", {"test": 2})
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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that was really trained, on random weights and small images."""
    folder = tmp_path_factory.mktemp("trained")
    drawn = make_gels(folder / "data", {"train": 8, "val": 4, "test": 10})
    params = {
        "dataset_dir": str(folder / "data"), "weights": "none", "image_size": 64,
        "num_epochs": 3, "augmentation": "none", "precision": "fp32",
    }  # fmt: skip
    run = make_run(folder / "runs" / "one", drawn, params, root=folder / "data", accuracy=1.0)
    config = RunConfig.check(params)
    images = split_imageset(
        load_imageset(folder / "data"), method="stratified", val_fraction=0.2, test_fraction=0.2,
        seed=0,
    ).with_digests()  # fmt: skip
    backbone = build_backbone("resnet18", weights="none", image_size=64)
    store = FeatureStore(folder / "cache")
    compute = Compute(precision="fp32", store=store)
    result = train(config, images, backbone, compute)
    p = predict_proba(result.backbone, result.head, images, compute)
    save_model(run.model, result.head, result.backbone, {"classes": list(images.classes)})
    table = images.table[["file", "split"]].copy()
    table["label"] = [images.classes[i] for i in images.table["label"]]
    table["predicted"] = [images.classes[i] for i in p.argmax(axis=1)]
    for i, name in enumerate(images.classes):
        table[f"p_{name}"] = p[:, i]
    write_csv(run.predictions, table)
    return run


def expected_of(run):
    table = run.read_predictions()
    root = Path(run.read_record().data.root)
    shares = table[["p_gel", "p_not_gel"]].to_numpy(dtype=float)
    return [root / file for file in table["file"]], shares, table["predicted"].tolist()


def test_answers_are_the_runs_own_predictions_to_the_last_bit(trained):
    files, shares, labels = expected_of(trained)
    predictions = Predictor(trained).predict(files)
    got = np.array([[a.probabilities["gel"], a.probabilities["not_gel"]] for a in predictions])
    assert (got == shares).all()
    assert [a.label for a in predictions] == labels
    assert predictions[0].file == str(files[0]) and predictions[0].run.endswith("runs/one")


def test_one_image_alone_gets_the_same_answer_to_rounding(trained):
    files, shares, labels = expected_of(trained)
    predictor = Predictor(trained.path)
    for i in (0, 5, 41):
        (alone,) = predictor.predict([files[i]])
        assert list(alone.probabilities.values()) == pytest.approx(shares[i], abs=1e-5)
        assert alone.label == labels[i]
        (loose,) = predictor.predict([files[i].read_bytes()])
        (named,) = predictor.predict([("x.png", files[i].read_bytes())])
        assert loose.probabilities == named.probabilities == alone.probabilities
        assert (loose.file, named.file) == ("image 1", "x.png")


def test_a_bad_file_has_its_error_and_the_others_go_on(trained, tmp_path):
    files, shares, _ = expected_of(trained)
    (tmp_path / "bad.png").write_bytes(files[0].read_bytes()[:60])
    sources = [files[0], tmp_path / "bad.png", ("empty", b""), tmp_path / "gone.png", files[1]]
    first, bad, empty, gone, last = Predictor(trained).predict(sources)
    assert bad.error and empty.error and gone.error and not bad.label
    assert bad.to_dict() == {"file": str(tmp_path / "bad.png"), "error": bad.error}
    assert str(tmp_path) not in bad.error, "the file is named once"
    for prediction, row in ((first, shares[0]), (last, shares[1])):
        assert list(prediction.probabilities.values()) == pytest.approx(row, abs=1e-5)
    assert Predictor(trained).predict([tmp_path / "gone.png"])[0].error
    assert Predictor(trained).predict([]) == []


def test_a_run_of_a_gpu_is_asked_on_the_cpu_where_there_is_none(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    copy = RunFolder(shutil.copytree(trained.path, tmp_path / "gpu"))
    record = copy.read_record().to_dict()
    record["config"]["hardware_type"] = "gpu"
    record["environment"]["precision"] = "fp16"
    copy.record.write_text(json.dumps(record))
    files, shares, _ = expected_of(trained)
    predictor = Predictor(copy)
    assert predictor.compute.device.type == "cpu"
    (prediction,) = predictor.predict(files[:1])
    assert list(prediction.probabilities.values()) == pytest.approx(shares[0], abs=0.05)


def test_a_model_elsewhere_is_found_by_the_record(trained, tmp_path):
    copy = RunFolder(shutil.copytree(trained.path, tmp_path / "one"))
    copy.model.rename(tmp_path / "mine.safetensors")
    record = copy.read_record().to_dict()
    record["config"]["model_path"] = str(tmp_path / "mine.safetensors")
    copy.record.write_text(json.dumps(record))
    assert [r.path for r in list_runs(tmp_path)] == [copy.path]
    assert Predictor(copy).predict([expected_of(trained)[0][0]])[0].label
