"""Uncertainty: dropout that disagrees, mistakes found by it, images unlike all training images."""

import numpy as np
import pytest
import torch
from making.images import make_wave_views
from sklearn.metrics import roc_auc_score

from gellib import plots
from gellib.evaluation import (
    SINGLE_LABEL,
    entropy,
    error_detection,
    label_entropy,
    risk_coverage,
)
from gellib.models.explain import (
    OutOfDistribution,
    fit_out_of_distribution,
    has_dropout,
    uncertainty,
)
from gellib.models.features import view_statistics
from gellib.models.features.image_statistics import N_STATISTICS
from gellib.models.heads import build_head
from gellib.report.widgets.cards import verdict
from gellib.training_run.predictor import Prediction

FEATURES = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)


def test_entropy_by_hand():
    assert entropy(np.array([[0.5, 0.5], [1, 0]])) == pytest.approx([np.log(2), 0])
    assert label_entropy(np.array([[0.5, 0.5, 1.0]])) == pytest.approx([2 / 3 * np.log(2)])


def test_a_head_without_dropout_has_the_entropy_of_its_answer():
    head = build_head("single", 8, 3, seed=0)
    found = uncertainty(head, FEATURES, temperature=2.0)
    with torch.inference_mode():
        p = head(torch.from_numpy(FEATURES)).double().softmax(1).numpy()
    assert found.entropy == pytest.approx(entropy(SINGLE_LABEL.apply_temperature(p, 2.0)))
    assert found.mutual_information is None and found.samples == 0 and not has_dropout(head)


@pytest.mark.parametrize("task", ["single_label", "multilabel"])
@pytest.mark.slow
def test_dropout_samples_disagree_by_less_than_they_doubt(task):
    head = build_head("multi", 8, 3, task=task, seed=0)
    assert has_dropout(head)
    state = torch.random.get_rng_state()
    found = uncertainty(head, FEATURES, seed=1)
    assert (found.mutual_information > 0).all()
    assert (found.mutual_information <= found.entropy).all()
    again = uncertainty(head, FEATURES, seed=1)
    assert np.array_equal(found.mutual_information, again.mutual_information)
    other = uncertainty(head, FEATURES, seed=2)
    assert not np.array_equal(found.mutual_information, other.mutual_information)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(layer.training for layer in head.modules()), "the head is as it was"


def test_mutual_information_falls_to_nothing_where_dropout_changes_nothing():
    head = build_head("multi", 8, 3, seed=0)
    torch.nn.init.zeros_(head[-1].weight)
    assert uncertainty(head, FEATURES).mutual_information == pytest.approx(0, abs=1e-12)


def test_risk_coverage_by_hand():
    right = np.array([1, 1, 0, 1, 0])
    curve = risk_coverage(np.array([0.1, 0.2, 0.5, 0.3, 0.9]), right)
    assert curve["handed_over"] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert curve["accuracy"] == pytest.approx([3 / 5, 3 / 4, 1, 1, 1])
    assert (curve["low"] < curve["accuracy"]).all() and (curve["high"] >= curve["accuracy"]).all()


def test_equal_uncertainty_finds_nothing():
    right = np.array([True, False] * 10)
    found = error_detection(np.ones(20), right)
    assert found["auroc"] == 0.5
    assert found["accuracy"] == pytest.approx([0.5] * 6)
    assert error_detection(np.arange(5.0), np.ones(5, bool))["auroc"] is None


def test_uncertain_answers_are_the_wrong_ones():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(2), 400)
    right = rng.random(400) < p.max(axis=1)
    found = error_detection(entropy(p), right)
    assert found["auroc"] == pytest.approx(roc_auc_score(~right, entropy(p)))
    assert found["interval"][0] > 0.5
    assert found["accuracy"][5] > found["accuracy"][0] + 0.1
    record = {"uncertainty": {"n": 400, "samples": 0, "entropy": found}}
    fig = plots.risk_coverage({"entropy": risk_coverage(entropy(p), right)}, record)
    labels = fig.axes[0].get_legend_handles_labels()[1]
    assert f"AUC {found['auroc']:.2f}" in labels[0]


def described(views):
    """Features that see some directions alone, and the statistics."""
    net = np.random.default_rng(5).normal(size=(64 * 64, 24))
    flat = views.reshape(len(views), -1) / 255 - 0.5
    return np.maximum(flat @ net, 0), np.stack([view_statistics(view) for view in views])


@pytest.mark.slow
def test_images_unlike_the_training_images_are_told():
    rng = np.random.default_rng(0)
    x = described(make_wave_views(rng, 120))
    rows = np.arange(120)
    detector = fit_out_of_distribution(*x, rows[:80], rows[80:])
    assert detector.n == 120 and detector.rate == 0.05
    alike = detector.score(*described(make_wave_views(rng, 400)))
    assert (alike > 1).mean() < 0.12, "about the stated rate"
    noise = rng.integers(0, 256, (20, 1, 64, 64), dtype=np.uint8)
    blank = np.tile(np.uint8(np.arange(20, 220, 10))[:, None, None, None], (1, 1, 64, 64))
    for strange in (noise, blank, make_wave_views(rng, 20).swapaxes(2, 3)):
        assert (detector.score(*described(strange)) > 1).all()


def test_the_detector_is_stored_in_little_and_read_back():
    x = described(make_wave_views(np.random.default_rng(0), 60))
    detector = fit_out_of_distribution(*x, np.arange(40), np.arange(40, 60))
    tensors = detector.tensors()
    assert sum(t.numel() for t in tensors.values()) < 10 * 24 + (N_STATISTICS + 2) * N_STATISTICS
    back = OutOfDistribution.load(tensors, detector.metadata())
    assert back.score(*x) == pytest.approx(detector.score(*x), abs=1e-3)


def test_copies_of_training_images_do_not_narrow_what_is_alike():
    rng = np.random.default_rng(0)
    views = np.repeat(make_wave_views(rng, 30), 4, axis=0)
    x, rows = described(views), np.arange(120)
    apart = fit_out_of_distribution(*x, rows, rows[:0], groups=rows // 4)
    mixed = fit_out_of_distribution(*x, rows, rows[:0], groups=rng.permutation(rows))
    further = described(make_wave_views(rng, 200))
    assert (apart.score(*further) > 1).mean() < (mixed.score(*further) > 1).mean()


def test_of_a_trained_network_validation_images_alone_set_the_threshold():
    x = described(make_wave_views(np.random.default_rng(0), 60))
    rows = np.arange(60)
    assert fit_out_of_distribution(*x, rows[:40], rows[40:], frozen=False).n == 20
    assert fit_out_of_distribution(*x, rows[:55], rows[55:], frozen=False) is None
    assert fit_out_of_distribution(*x, rows[:5], rows[5:]) is None


@pytest.mark.parametrize(("score", "said"), [(None, False), (0.9, False), (1.2, True)])
def test_the_form_and_programs_are_told(score, said):
    prediction = Prediction("a.png", "gel", {"gel": 0.9, "not_gel": 0.1}, "run", ood_score=score)
    assert ("unlike all training images" in verdict(prediction, None)) == said
    told = prediction.to_dict()
    assert ("ood" in told) == (score is not None)
    assert told.get("ood", False) == said
