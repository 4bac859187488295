"""Several labels an image, from images and a table to the predictions of the trained model."""

import json

import pytest
from making.folders import make_multilabel

from gellib.config import RunConfig
from gellib.report.widgets import PredictWidget
from gellib.runs import RunFolder
from gellib.training_run import TrainingRun
from gellib.training_run.predictor import Predictor

pytestmark = pytest.mark.slow

CLASSES = ("bright", "lines", "spot")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run on images that are bright, have lines, a spot, or some of them."""
    folder = make_multilabel(tmp_path_factory.mktemp("several"))
    config = RunConfig(
        dataset_dir=str(folder),
        image_size=32,
        weights="none",
        augmentation="none",
        num_epochs=30,
        evaluation="holdout",
        learning_rate=0.01,
        run_dir=str(folder / "runs" / "one" / "run"),
        cache_dir=str(folder / "cache"),
    )
    run = TrainingRun(config)
    run.load_images()
    run.load_backbone()
    run.train()
    run.evaluate()
    for draw in (run.confusion_matrix, run.roc_curve, run.demo_predictions, run.metrics_table):
        draw()
    run.finish()
    return folder, RunFolder(config.run_dir)


def test_record(finished):
    _, run = finished
    record = json.loads(run.record.read_text())
    assert record["data"]["task"] == "multilabel"
    assert record["data"]["classes"] == ["0", "1", "2"]
    test = record["metrics"]["test"]
    assert test["mean_average_precision"] > 0.7  # the share of the labels is 0.5
    assert set(test["baseline"]) > {"f1", "f1_micro", "f1_samples", "hamming_loss"}
    cuts = [values["threshold"] for values in test["per_class"].values()]
    assert cuts == list(record["thresholds"]["values"].values())
    assert record["thresholds"]["chosen_on"] == "val"
    assert (run.figures / "label_scores.png").is_file()
    assert (run.figures / "predictions.png").is_file()


def test_the_model_gives_the_labels_of_the_table(finished):
    folder, run = finished
    table = run.read_predictions()
    predictor = Predictor(run)
    predictions = predictor.predict([folder / name for name in table["file"]])
    assert [prediction.label for prediction in predictions] == list(table["predicted"])
    for prediction, (_, row) in zip(predictions, table.iterrows(), strict=True):
        shares = list(prediction.probabilities.values())
        assert shares == pytest.approx([row[f"p_{c}"] for c in "012"], abs=1e-6)
    assert any(len(prediction.labels) > 1 for prediction in predictions)
    assert (
        max(sum(prediction.probabilities.values()) for prediction in predictions) > 1.05
    )  # no softmax
    rows = json.loads(run.predictions_json.read_text())
    assert [row["predicted"] for row in rows] == list(table["predicted"])


def test_the_form_shows_all_labels(finished):
    folder, run = finished
    form = PredictWidget(folder / "runs")
    table = run.read_predictions()
    test = table[(table["split"] == "test") & table["label"].str.contains("|", regex=False)]
    form.pick_image(test["file"].iloc[0])
    (prediction,) = form.predictions
    words = form.results.value
    assert "A label is given where its bar reaches the mark." in words
    assert f"the true labels are {test['label'].iloc[0].replace('|', ', ')}" in words
    for name in prediction.labels:
        assert f"{name}, {100 * prediction.probabilities[name]:.0f} %" in words
    assert "all labels right on" in form.about.value
