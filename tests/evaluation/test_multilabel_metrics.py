"""Scores of several labels an image, held against hand counts and scikit-learn."""

import json

import numpy as np
import pytest
from sklearn import metrics as skm

from gellib.evaluation import evaluate_multilabel, multi_hot, tune_thresholds

CLASSES = ("a", "b", "c")


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    y = (rng.random((200, 3)) < (0.5, 0.3, 0.1)).astype(int)
    y[0] = 0
    p = np.clip(y * 0.25 + rng.random((200, 3)) * (0.7, 0.7, 0.4), 0, 1)
    return y, p


def test_by_hand():
    y = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])
    p = np.array([[0.9, 0.2, 0.1], [0.8, 0.4, 0.3], [0.6, 0.1, 0.7], [0.1, 0.2, 0.3]])
    result = evaluate_multilabel(y, p, CLASSES, (0.5, 0.3, 0.5))
    assert result["n"] == 4
    assert result["accuracy"] == 0.75  # the third image gets `a` as well
    assert result["hamming_loss"] == pytest.approx(1 / 12)
    assert result["per_class"]["a"] == {
        "precision": pytest.approx(2 / 3),
        "recall": 1.0,
        "f1": pytest.approx(0.8),
        "average_precision": 1.0,
        "roc_auc": 1.0,
        "support": 2,
        "predicted": 3,
        "threshold": 0.5,
    }
    assert result["precision"] == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert result["precision_micro"] == pytest.approx(4 / 5)
    # Per image: 1, 1, 1/2, and 1 for the one that has no label and gets none.
    assert result["precision_samples"] == pytest.approx(3.5 / 4)
    assert result["f1_samples"] == pytest.approx((1 + 1 + 2 / 3 + 1) / 4)
    # At 0.5 the second image lacks its `b`.
    assert result["baseline"]["threshold"] == 0.5
    assert result["baseline"]["accuracy"] == 0.5
    assert result["combinations"][0] == {"labels": [], "true": 1, "predicted": 1, "right": 1}
    assert {"labels": ["a", "c"], "true": 0, "predicted": 1, "right": 0} in result["combinations"]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_agrees_with_scikit_learn(predictions):
    y, p = predictions
    result = evaluate_multilabel(y, p, CLASSES)
    predicted = p >= 0.5
    assert result["accuracy"] == pytest.approx(skm.accuracy_score(y, predicted))
    assert result["hamming_loss"] == pytest.approx(skm.hamming_loss(y, predicted))
    for ours, average in (("", "macro"), ("_micro", "micro")):
        wanted = skm.precision_recall_fscore_support(y, predicted, average=average)[:3]
        got = [result[name + ours] for name in ("precision", "recall", "f1")]
        assert got == pytest.approx(list(wanted))
    some = y.any(axis=1) | predicted.any(axis=1)
    samples = skm.f1_score(y[some], predicted[some], average="samples", zero_division=0)
    assert result["f1_samples"] == pytest.approx((samples * some.sum() + (~some).sum()) / len(y))
    assert result["mean_average_precision"] == pytest.approx(
        skm.average_precision_score(y, p, average="macro")
    )
    assert result["roc_auc"] == pytest.approx(skm.roc_auc_score(y, p, average="macro"))
    inner = np.clip(p, 1e-9, 1 - 1e-9)
    assert result["loss"] == pytest.approx(
        np.mean([skm.log_loss(y[:, c], inner[:, c], labels=[0, 1]) for c in range(3)])
    )


@pytest.mark.slow
def test_thresholds_are_the_best_there_are(predictions):
    y, p = predictions
    tuned = tune_thresholds(y, p)
    assert tuned.tuned.all()
    for c, threshold in enumerate(tuned.values):
        tried = [skm.f1_score(y[:, c], p[:, c] >= t, zero_division=0) for t in np.unique(p[:, c])]
        assert skm.f1_score(y[:, c], p[:, c] >= threshold) == pytest.approx(max(tried))
    result = evaluate_multilabel(y, p, CLASSES, tuned.values)
    assert result["f1"] > result["baseline"]["f1"]


def test_few_images_of_a_class_keep_the_threshold_of_one_half():
    y = np.zeros((40, 3), int)
    y[:4, 0] = y[:5, 1] = y[:36, 2] = 1
    p = np.where(y == 1, 0.3, 0.1)
    thresholds = tune_thresholds(y, p)
    assert thresholds.tuned.tolist() == [False, True, False]
    assert thresholds.values == pytest.approx([0.5, 0.2, 0.5])


def test_one_half_is_kept_where_it_is_as_good_as_any():
    y = np.repeat([[1], [0]], 8, axis=0)
    assert tune_thresholds(y, np.where(y == 1, 0.51, 0.2)).values.tolist() == [0.5]
    # Equal probabilities cannot be told apart: the best that is left is to take all.
    same = tune_thresholds(y, np.full((16, 1), 0.3)).values
    assert 0 < same[0] < 0.3


def test_classes_without_images_do_not_hide_the_others():
    y = np.array([[1, 0], [0, 0], [1, 0]])
    result = evaluate_multilabel(y, np.array([[0.9, 0.2], [0.3, 0.1], [0.8, 0.4]]), ("a", "b"))
    assert result["per_class"]["b"]["average_precision"] is None
    assert result["mean_average_precision"] == result["roc_auc"] == 1.0


def test_multi_hot():
    assert multi_hot([(0, 2), (), 1], 3).tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("y", "p", "words"),
    [
        ([[1, 0]], [[0.5, 0.5, 0.5]], r"shape \(1, 3\), expected \(1, 2\)"),
        ([[2, 0]], [[0.5, 0.5]], "y_true: got 0 to 2, expected 0 and 1"),
        ([[1, 0]], [[float("nan"), 0.5]], "not finite: the training diverged"),
        ([[1, 0]], [[1.5, 0.5]], "got 0.5 to 1.5, expected 0 to 1"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "no images to evaluate"),
    ],
)
def test_bad_values_raise(y, p, words):
    with pytest.raises(ValueError, match=words):
        evaluate_multilabel(np.array(y), np.array(p), ("a", "b"))


def test_a_threshold_a_class():
    with pytest.raises(ValueError, match="got 1 thresholds, expected 2"):
        evaluate_multilabel(np.eye(2), np.eye(2), ("a", "b"), [0.5])
