"""Metrics, held against numbers worked out by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from gellib.evaluation import evaluate, roc_auc

CLASSES = ("gel", "not_gel")


def _probabilities(p_gel):
    p_gel = np.asarray(p_gel, dtype=float)
    return np.column_stack([p_gel, 1 - p_gel])


def test_two_classes_by_hand():
    y = np.array([0, 0, 0, 1, 1])
    result = evaluate(y, _probabilities([0.9, 0.8, 0.4, 0.6, 0.1]), CLASSES, positive="gel")
    assert result["confusion_matrix"] == [[2, 1], [1, 1]]
    assert result["accuracy"] == pytest.approx(3 / 5)
    assert result["precision"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert result["recall"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    # Of the 6 pairs (gel, not_gel), 5 are in order.
    assert result["roc_auc"] == pytest.approx(5 / 6)
    assert result["per_class"]["gel"] == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "support": 3,
    }


def test_auc_is_that_of_probabilities_and_not_of_the_verdicts():
    # All verdicts say gel: from them the area would be 0.5, whatever the order.
    y = np.array([0, 0, 1, 1])
    result = evaluate(y, _probabilities([0.9, 0.8, 0.7, 0.6]), CLASSES, positive="gel")
    assert result["recall"] == 0.5
    assert result["roc_auc"] == 1.0


def test_auc_does_not_depend_on_which_class_is_called_positive():
    y, p = np.array([0, 1, 0, 1, 1]), _probabilities([0.9, 0.5, 0.4, 0.3, 0.8])
    assert roc_auc(y, p, CLASSES, positive="gel") == pytest.approx(
        roc_auc(y, p, CLASSES, positive="not_gel")
    )


def test_class_never_predicted_has_precision_zero_without_a_warning(recwarn):
    result = evaluate(np.array([0, 1]), _probabilities([0.9, 0.9]), CLASSES)
    assert result["precision"] == 0.25
    assert not recwarn.list


def test_one_class_alone_has_no_auc():
    assert evaluate(np.array([0, 0]), _probabilities([0.9, 0.2]), CLASSES)["roc_auc"] is None


def test_three_classes():
    y = np.array([0, 1, 2])
    result = evaluate(y, np.eye(3), ("a", "b", "c"))
    assert result["accuracy"] == result["f1"] == result["roc_auc"] == 1.0
    assert result["loss"] == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("y", "p", "words"),
    [
        ([0], [[0.5, 0.3, 0.2]], r"shape \(1, 3\), expected \(1, 2\)"),
        ([2], [[0.5, 0.5]], "labels run from 2 to 2, classes from 0 to 1"),
        ([0], [[float("nan"), 0.5]], "not finite: the training diverged"),
        ([], np.zeros((0, 2)), "no images to evaluate"),
    ],
)
def test_bad_values_raise(y, p, words):
    with pytest.raises(ValueError, match=words):
        evaluate(np.array(y, dtype=int), np.array(p), CLASSES)


def test_sensitivity_is_that_of_the_class_which_is_named():
    # 10 healthy of which 9 are told, 16 ill of which 15 are.
    y = np.repeat([0, 1], [10, 16])
    p_ill = np.r_[[0.2] * 9, 0.8, [0.9] * 15, 0.1]
    p = np.column_stack([1 - p_ill, p_ill])
    result = evaluate(y, p, ("no", "yes"), positive="yes")
    assert result["positive"] == "yes"
    assert result["sensitivity"] == pytest.approx(15 / 16)
    assert result["specificity"] == pytest.approx(9 / 10)
    assert result["kappa"] == pytest.approx(0.8375)
    other = evaluate(y, p, ("no", "yes"), positive="no")
    assert (other["sensitivity"], other["specificity"]) == (0.9, 15 / 16)
    assert evaluate(y, p, ("no", "yes"))["positive"] == "yes"


def test_kappa_agrees_with_scikit_learn_and_is_none_where_there_is_no_choice():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 50), rng.dirichlet(np.ones(3), 50)
    result = evaluate(y, p, ("a", "b", "c"))
    assert result["kappa"] == pytest.approx(cohen_kappa_score(y, p.argmax(1)))
    assert "sensitivity" not in result
    one = evaluate(np.array([0, 0]), _probabilities([0.9, 0.8]), CLASSES, positive="gel")
    assert one["kappa"] is None
    assert (one["sensitivity"], one["specificity"]) == (1.0, None)
