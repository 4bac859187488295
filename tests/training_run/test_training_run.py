"""Runs that train more than a head, or none by epochs, from images to predictions."""

import numpy as np
import pytest
from making.folders import make_stripes_and_dots

from gellib.config import RunConfig
from gellib.models.backbones import resolve_precision
from gellib.runs import RunFolder
from gellib.training_run import TrainingRun
from gellib.training_run.predictor import Predictor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    make_stripes_and_dots(folder / "images")
    return folder


def finish(folder, name, **changes):
    settings = {"num_epochs": 4, "batch_size": 4, "image_size": 32, "weights": "none"}
    settings["evaluation"] = "holdout"
    config = RunConfig(
        **(settings | changes),
        dataset_dir=str(folder / "images"),
        run_dir=str(folder / "one" / name),
        cache_dir=str(folder / "cache"),
    )
    run = TrainingRun(config)
    run.load_images()
    run.load_backbone()
    run.train()
    run.evaluate()
    for draw in (run.loss_accuracy, run.class_curves, run.learning_rate):
        draw()
    run.finish()
    return RunFolder(config.run_dir), run.images, run.predictions


def predictions_agree(run, images, predictions, atol):
    found = Predictor(run).predict(list(images.table["path"]))
    ours = [[prediction.probabilities[c] for c in images.classes] for prediction in found]
    theirs = predictions[[f"p_{c}" for c in images.classes]]
    np.testing.assert_allclose(ours, theirs, atol=atol)


@pytest.mark.slow
def test_trained_layers(folder):
    run, images, predictions = finish(
        folder,
        "layers",
        trainable="last:1",
        augmentation="none",
        schedule="one_cycle",
        patience=2,
        unfreeze_epoch=2,
        classifier_head="residual",
    )
    record = run.read_record()
    assert 1 <= record.best_epoch <= record.stopped_epoch == len(run.read_history())
    assert record.environment.precision == resolve_precision("auto", "cpu")
    predictions_agree(run, images, predictions, 1e-5)
    assert {"class_curves.png", "learning_rate.png"} <= {p.name for p in run.figures.iterdir()}
    classes = run.read_class_history()
    assert set(classes["class"]) == {"dots", "stripes"}
    assert len(classes) == 4 * record.stopped_epoch


@pytest.mark.slow
def test_lbfgs(folder, capsys):
    run, images, predictions = finish(folder, "lbfgs", opt_alg="lbfgs", lbfgs_c=1)
    assert "without augmentation" in capsys.readouterr().out
    record = run.read_record()
    assert record.best_epoch == record.stopped_epoch == len(run.read_history()) == 1
    assert record.metrics["train"]["accuracy"] == 1
    assert record.timings.training_s < 2  # 0.02 s on an idle machine
    predictions_agree(run, images, predictions, 1e-5)
