"""What is made of a run's probabilities: verdicts, metrics of each part, tables, JSON."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from making.folders import list_labelled

from gellib import plots
from gellib.evaluation import MULTILABEL, SINGLE_LABEL
from gellib.report.widgets import verdict
from gellib.runs import Record, RunFolder
from gellib.training_run.evaluate import evaluate_run
from gellib.training_run.explanation import choose_explained
from gellib.training_run.metrics_table import metrics_table
from gellib.training_run.predictor import Prediction

CLASSES = ("Cytosol", "Nucleoli", "not {one}")


def make(tmp_path, labels, task, classes=CLASSES):
    splits = ("train", "val", "test")
    return list_labelled(labels, task, classes, root=tmp_path, splits=splits)


@pytest.fixture
def several(tmp_path):
    rng = np.random.default_rng(0)
    labels = [tuple(np.flatnonzero(rng.random(3) < 0.4).tolist()) for _ in range(90)]
    images = make(tmp_path, labels, MULTILABEL)
    truth = np.array([[c in label for c in range(3)] for label in images.table["label"]])
    # Every probability is too low: labels are told at 0.3, none at 0.5.
    p = np.where(truth, 0.35, 0.25) + rng.uniform(-0.04, 0.04, truth.shape)
    p[:, 2] = np.where(truth[:, 2], 0.9, 0.1)
    return images, p


def test_thresholds_of_validation_judge_the_test_images(several):
    images, p = several
    evaluation = evaluate_run(images, p)
    assert 0.25 < evaluation.thresholds.values[0] < 0.35
    assert evaluation.thresholds.values[2] == 0.5
    assert evaluation.metrics["test"]["accuracy"] == 1.0
    assert evaluation.metrics["test"]["baseline"]["accuracy"] < 0.6
    assert evaluation.metrics["test"]["n"] == evaluation.rows("test").sum() == 30


@pytest.mark.slow
def test_images_to_explain_are_of_labels_that_were_said(several):
    images, p = several
    evaluation = evaluate_run(images, p)
    test = np.flatnonzero(evaluation.rows("test"))
    lacking = next(row for row in test if evaluation.truth[row].tolist() == [1, 0, 1])
    extra = next(row for row in test if evaluation.truth[row].tolist() == [1, 0, 0])
    p[lacking, 0] = 0.0  # one label missed: nothing wrong was said
    p[extra, 1] = 0.6  # the wrong one is the surest
    evaluation = evaluate_run(images, p)
    rows, targets, right = choose_explained(evaluation)
    assert rows[0] == extra and targets[0] == 1 and not right[0] and right[1:].all()
    assert len(rows) == 4 and lacking not in rows and set(targets[1:].tolist()) == {0, 1, 2}
    assert evaluation.truth[rows[1:], targets[1:]].all()
    silent = replace(evaluation, thresholds=evaluation.thresholds._replace(values=np.ones(3)))
    assert not len(choose_explained(silent)[0])


def test_images_to_explain_of_one_label_are_the_surest_mistakes_and_all_classes(tmp_path):
    labels = [i // 3 % 3 for i in range(90)]
    images = make(tmp_path, labels, SINGLE_LABEL)
    p = np.eye(3)[labels] * 0.8 + 0.2 / 3
    test = np.flatnonzero((images.table["split"] == "test").to_numpy())
    for row, sure in ((test[4], 0.9), (test[8], 0.95), (test[9], 0.5)):
        wrong = (labels[row] + 1) % 3
        p[row] = np.where(np.arange(3) == wrong, sure, (1 - sure) / 2)
    rows, targets, right = choose_explained(evaluate_run(images, p))
    assert rows[:2].tolist() == [test[8], test[4]] and right.tolist() == [False, False, True, True]
    assert [labels[row] for row in rows[2:]] == targets[2:].tolist() == [0, 1]


@pytest.mark.slow
def test_classes_of_few_images_are_named(several):
    images, p = several
    assert evaluate_run(images, p).not_tuned() == []
    rare = images.table["label"].map(lambda label: tuple(c for c in label if c != 1))
    rare.iloc[:6] = [(1,)] * 6
    images = replace(images, table=images.table.assign(label=rare))
    assert evaluate_run(images, p).not_tuned() == ["Nucleoli"]


@pytest.mark.slow
def test_test_images_do_not_move_the_thresholds(several):
    images, p = several
    other = p.copy()
    other[(images.table["split"] != "val").to_numpy()] = 0.5
    assert evaluate_run(images, other).thresholds.values.tolist() == (
        evaluate_run(images, p).thresholds.values.tolist()
    )


def test_labels_are_joined_and_read_back(several, tmp_path):
    images, p = several
    evaluation = evaluate_run(images, p)
    folder = RunFolder(tmp_path / "run")
    folder.write_predictions(evaluation.predictions)
    table = folder.read_predictions()
    names = ["|".join(CLASSES[c] for c in label) for label in images.table["label"]]
    assert list(table["label"]) == list(table["predicted"]) == names
    assert {"", "Cytosol|Nucleoli"} < set(names)
    rows = json.loads(folder.predictions_json.read_text(encoding="utf-8"))
    assert [row["predicted"] for row in rows] == names
    assert list(rows[0]) == ["file", "split", "label", "predicted", "probabilities"]
    shares = np.array([[row["probabilities"][c] for c in CLASSES] for row in rows])
    assert np.array_equal(shares, evaluation.probabilities)


def test_one_label(tmp_path):
    images = make(tmp_path, [0, 0, 0, 1, 1, 1], SINGLE_LABEL, ("no", "yes"))
    p = np.array([[0.9, 0.1]] * 6)
    evaluation = evaluate_run(images, p)
    assert evaluation.thresholds is None
    assert set(evaluation.predictions["predicted"]) == {"no"}
    shown = metrics_table(evaluation.metrics, evaluation.task)
    assert list(shown.index) == ["train", "val", "test"]
    assert shown["sensitivity (yes)"].str.startswith("0.0%").all()
    assert shown["specificity (yes)"].str.startswith("100.0%").all()
    assert shown.loc["test", "kappa"].startswith("0.000")
    # Training images say nothing of others: only validation and test have an interval.
    assert list(shown["accuracy"].str.contains(r"\[\d+, \d+\]$")) == [False, True, True]


def test_table_of_several_labels_has_the_baseline(several):
    shown = metrics_table(evaluate_run(*several).metrics, MULTILABEL)
    assert list(shown.index) == ["train", "val", "test", "test, thresholds 0.5"]
    assert shown.loc["test", "all labels right"].startswith("100.0% [")
    assert shown.loc["test, thresholds 0.5", "all labels right"] != "100.0%"
    same = ["images", "ROC AUC", "mean AP"]
    assert shown.loc["test", same].tolist() == shown.loc["test, thresholds 0.5", same].tolist()


@pytest.mark.slow
def test_figures_of_several_labels(several):
    images, p = several
    evaluation, test = evaluate_run(images, p), (images.table["split"] == "test").to_numpy()
    scores = evaluation.metrics["test"]
    fig = plots.label_scores(scores["per_class"], scores["n"], heading="Test images")
    assert fig.headline() == "Test images (30): each label against the rest"
    supports = [bar.get_width() for bar in fig.axes[-1].containers[0]]
    assert supports == evaluation.truth[test].sum(axis=0).tolist()
    names = [label.get_text() for label in fig.axes[0].get_yticklabels()]
    assert names[2] == "not {one}  ≥ 0.50"
    fig = plots.label_scores(scores["per_class"], 30, not_tuned=["not {one}"])
    assert [label.get_text() for label in fig.axes[0].get_yticklabels()][2].endswith("≥ 0.50*")
    assert "too few validation images" in fig.get_supxlabel()
    fig = plots.roc_curve(evaluation.truth[test], p[test], CLASSES)
    assert "mean AUC 1.000" in fig.headline()


@pytest.mark.slow
def test_demo_of_several_labels(several, tmp_path):
    images, p = several
    predictions = evaluate_run(images, p).predictions
    first = predictions[predictions["split"] == "test"].index[0]
    predictions.loc[first, ["label", "predicted"]] = ["", "Cytosol|Nucleoli"]
    fig = plots.demo_predictions(predictions, tmp_path)
    assert fig.headline().startswith("29 of 30 test images predicted correctly")
    said = [text.get_text() for text in fig.axes[0].texts]
    (wrong,) = [number for number, text in enumerate(said) if text.startswith("✗")]
    assert len(said[wrong].splitlines()) == 2
    assert said[wrong + 1] == "true: no label"


def test_a_bar_in_a_class_name_of_one_label_is_no_second_label(tmp_path):
    table = pd.DataFrame(
        {"file": ["x.png"], "split": "test", "label": "a|b", "predicted": "a|b", "p_a|b": 1.0}
    )
    fig = plots.demo_predictions(table, tmp_path)
    assert "a|b  100 %" in [text.get_text() for text in fig.axes[0].texts]


RECORD = Record.parse(
    {
        "schema": 1,
        "status": "failed",
        "config": {
            "pretrained_model": "resnet18",
            "classifier_head": "single",
            "opt_alg": "adam",
            "hardware_type": "cpu",
            "model_id": 1,
        },
    }
)


def test_verdict_of_several_labels():
    thresholds = {"a": 0.5, "b": 0.2, "c": 0.4}
    prediction = Prediction(
        "x.png", "a|b", {"a": 0.9, "b": 0.25, "c": 0.3}, "run", thresholds=thresholds
    )
    assert prediction.labels == ("a", "b")
    assert prediction.to_dict()["labels"] == ["a", "b"]
    assert prediction.to_dict()["thresholds"] == thresholds
    text = verdict(prediction, RECORD, "a|b")
    assert "a, 90 %<br>b, 25 %" in text
    assert "✓ right: the true labels are a, b" in text
    assert "✗ wrong" in verdict(prediction, RECORD, "a")
    none = Prediction("x.png", "", {"a": 0.1}, "run", thresholds={"a": 0.5})
    assert ">no label</div>" in verdict(none, RECORD)
