"""Calibration: probabilities that mean what they say, without a change of mind."""

import numpy as np
import pytest

from gellib import plots
from gellib.evaluation import (
    MULTILABEL,
    SINGLE_LABEL,
    Temperature,
    calibration_record,
    calibration_scores,
    fit_temperature,
    reliability,
)


def predictions(n, *, overconfident=1.0, n_classes=3, seed=0):
    """Draw labels by probabilities, and the same probabilities with their logits multiplied."""
    rng = np.random.default_rng(seed)
    true = rng.dirichlet(np.ones(n_classes), n)
    y = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return y, SINGLE_LABEL.apply_temperature(true, 1 / overconfident)


def test_overconfident_answers_are_mended_on_other_images():
    y, p = predictions(2000, overconfident=3.0)
    fitted = fit_temperature(y, p)
    assert fitted.value == pytest.approx(3.0, rel=0.1)
    y, p = predictions(5000, overconfident=3.0, seed=1)
    before, after = (
        calibration_scores(y, p),
        calibration_scores(y, SINGLE_LABEL.apply_temperature(p, fitted.value)),
    )
    assert before["ece"] > 0.15 and after["ece"] < 0.03
    assert after["brier"] < before["brier"] and after["loss"] < before["loss"]


@pytest.mark.parametrize("overconfident", [0.6, 1.0, 2.5])
@pytest.mark.parametrize("n", [18, 100])
@pytest.mark.slow
def test_held_out_images_gain_or_keep_on_average(n, overconfident):
    change = []
    test_y, test_p = predictions(4000, overconfident=overconfident, seed=99)
    before = calibration_scores(test_y, test_p)
    for seed in range(40):
        value = fit_temperature(*predictions(n, overconfident=overconfident, seed=seed)).value
        after = calibration_scores(test_y, SINGLE_LABEL.apply_temperature(test_p, value))
        change.append([after[name] - before[name] for name in ("loss", "ece")])
    loss, ece = np.mean(change, axis=0)
    assert loss < 0.01 and ece < 0.01
    if overconfident > 2:
        assert loss < -0.05 and ece < -0.01


def test_few_images_all_of_them_right_make_nobody_certain():
    p = np.tile([[0.8, 0.2]], (12, 1))
    value = fit_temperature(np.zeros(12, int), p).value
    assert 0.5 < value < 1
    assert SINGLE_LABEL.apply_temperature(p, value).max() < 0.95


def test_no_validation_images_change_nothing():
    assert fit_temperature(np.zeros(0, int), np.zeros((0, 2))).value == 1.0
    assert "too few" in fit_temperature(np.zeros(1, int), np.array([[0.9, 0.1]])).reason
    y, p = predictions(3000)
    fitted = fit_temperature(y, p)
    assert fitted.value == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_most_probable_class_stays(temperature):
    p = np.random.default_rng(0).dirichlet(np.full(5, 0.1), 500)
    p[0] = [1, 0, 0, 0, 0]
    tempered = SINGLE_LABEL.apply_temperature(p, temperature)
    assert (tempered.argmax(axis=1) == p.argmax(axis=1)).all()
    assert np.allclose(tempered.sum(axis=1), 1)
    assert np.allclose(SINGLE_LABEL.apply_temperature(tempered, 1 / temperature), p, atol=1e-6)


def test_several_labels_have_a_sigmoid_each():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2000, 4)) * 1.5
    y = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(int)
    p = 1 / (1 + np.exp(-2.5 * logits))
    fitted = fit_temperature(y, p)
    assert fitted.value == pytest.approx(2.5, rel=0.1)
    tempered = MULTILABEL.apply_temperature(p, fitted.value)
    assert ((tempered > 0.5) == (p > 0.5)).all()
    assert calibration_scores(y, tempered)["ece"] < 0.03 < calibration_scores(y, p)["ece"]


def test_scores_by_hand():
    p = np.array([[0.9, 0.1]] * 10)
    y = np.array([0] * 6 + [1] * 4)
    scores = calibration_scores(y, p)
    assert scores["ece"] == pytest.approx(0.3)
    assert scores["brier"] == pytest.approx(0.6 * 0.01 + 0.4 * 0.81)
    assert scores["loss"] == pytest.approx(-0.6 * np.log(0.9) - 0.4 * np.log(0.1))


def test_bins_hold_equally_many_and_never_few():
    y, p = predictions(500)
    table = reliability(y, p)
    assert len(table["n"]) == 15 and np.ptp(table["n"]) <= 1
    assert (np.diff(table["confidence"]) > 0).all()
    assert list(reliability(*predictions(22))["n"]) == [11, 11]
    assert list(reliability(*predictions(3))["n"]) == [3]


def test_diagram_shows_both_only_where_something_changed():
    y, p = predictions(300, overconfident=2.5)
    fitted = fit_temperature(y, p)
    after = SINGLE_LABEL.apply_temperature(p, fitted.value)
    record = calibration_record(y, p, after, fitted)
    fig = plots.reliability_diagram(reliability(y, p), reliability(y, after), record)
    labels = fig.axes[0].get_legend_handles_labels()[1]
    assert len(labels) == 2 and f"{100 * record['ece']:.1f} %" in labels[0]
    same = calibration_record(y, p, p, Temperature(1.0, 9, "no reason"))
    fig = plots.reliability_diagram(reliability(y, p), reliability(y, p), same)
    assert len(fig.axes[0].get_legend_handles_labels()[1]) == 1
