"""Uncertainty: dropout that disagrees, mistakes found by it, images unlike all training images."""

import json

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
    fit_out_of_distribution,
    has_dropout,
    load_detector,
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
    assert 0.01 < (alike > 1).mean() < 0.12, "about the stated rate"
    noise = rng.integers(0, 256, (20, 1, 64, 64), dtype=np.uint8)
    blank = np.tile(np.uint8(np.arange(20, 220, 10))[:, None, None, None], (1, 1, 64, 64))
    for strange in (noise, blank, make_wave_views(rng, 20).swapaxes(2, 3)):
        assert (detector.score(*described(strange)) > 1).all()


@pytest.mark.slow
def test_images_of_other_kinds_are_marked_and_those_of_the_same_source_are_not():
    """A sample of tests/benchmarks/unlike_images.py: simulated brain MRI, pretrained weights."""
    from tests.benchmarks import unlike_images as benchmark

    described = benchmark.describe("mobilenet-v3", "labsim", None, share=0.2)
    shares = benchmark.measure(described, "sim_mri", 50, splits=4)["gellib: by class"]
    assert 0 < shares["right"] < 0.1  # of about 190 images
    assert min(shares[name] for name in ("text_pages", "photographs", "noise", "blank")) > 0.8


def test_an_image_is_compared_with_the_class_that_it_is_given():
    rng = np.random.default_rng(0)
    lying, standing = make_wave_views(rng, 80), make_wave_views(rng, 80).swapaxes(2, 3)
    few = rng.integers(0, 256, (8, 1, 64, 64), dtype=np.uint8)
    x = described(np.concatenate([lying, standing, few]))
    rows, labels = np.arange(168), np.repeat([0, 1, 2], [80, 80, 8])
    detector = fit_out_of_distribution(*x, rows, rows[:0], labels=labels)
    assert set(detector.references) == {"all", "0", "1"}, "8 images are too few for a limit"
    new = described(make_wave_views(rng, 40))
    assert (detector.score(*new, np.zeros(40, int)) > 1).mean() < 0.15
    assert (detector.score(*new, np.ones(40, int)) > 1).all()
    assert (detector.score(*new) > 1).mean() < 0.15
    of_few = detector.score(*new, np.full(40, 2))
    assert np.array_equal(of_few, detector.score(*new)), "without a limit of its own: all images"


def test_the_detector_is_stored_in_little_and_read_back():
    x = described(make_wave_views(np.random.default_rng(0), 60))
    labels = np.arange(60) % 2
    detector = fit_out_of_distribution(*x, np.arange(40), np.arange(40, 60), labels=labels)
    tensors = detector.tensors()
    each = (N_STATISTICS + 2) * N_STATISTICS
    assert sum(t.numel() for t in tensors.values()) == 60 * 24 + 2 * 60 + 3 * each
    back = load_detector(tensors, json.loads(json.dumps(detector.metadata())))
    for classes in (None, labels):
        scores = detector.score(*x, classes)
        assert back.score(*x, classes) == pytest.approx(scores, abs=1e-4)


def test_a_detector_of_an_earlier_version_scores_as_it_did():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(24, 3)))[0].T
    centre, size = rng.normal(size=24) / 10, N_STATISTICS
    tensors = {
        "features.centre": centre,
        "features.directions": directions,
        "statistics.centre": np.zeros(size),
        "statistics.scale": np.ones(size),
        "statistics.precision": np.eye(size),
    }
    tensors = {name: torch.from_numpy(value) for name, value in tensors.items()}
    old = load_detector(tensors, {"limits": [0.5, 4.0], "rate": 0.05, "n": 30})
    features, statistics = rng.normal(size=(6, 24)), rng.normal(size=(6, size))
    away = features / np.linalg.norm(features, axis=1, keepdims=True) - centre
    off = np.linalg.norm(away - away @ directions.T @ directions, axis=1)
    expected = np.maximum(off / 0.5, np.linalg.norm(statistics, axis=1) / 4)
    assert old.score(features, statistics, np.arange(6)) == pytest.approx(expected)


def test_copies_of_training_images_do_not_narrow_what_is_alike():
    rng = np.random.default_rng(0)
    views = np.repeat(make_wave_views(rng, 30), 4, axis=0)
    x, rows = described(views), np.arange(120)
    apart = fit_out_of_distribution(*x, rows, rows[:0], groups=rows // 4)
    mixed = fit_out_of_distribution(*x, rows, rows[:0], groups=rng.permutation(rows))
    further = described(make_wave_views(rng, 200))
    assert (apart.score(*further) > 1).mean() < (mixed.score(*further) > 1).mean()
    assert apart.n == 30


def test_of_a_trained_network_validation_images_alone_set_the_threshold():
    x = described(make_wave_views(np.random.default_rng(0), 60))
    rows = np.arange(60)
    assert fit_out_of_distribution(*x, rows[:40], rows[40:], frozen=False).n == 20
    assert fit_out_of_distribution(*x, rows[:55], rows[55:], frozen=False) is None
    assert fit_out_of_distribution(*x, rows[:10], rows[10:18]) is None, "18 images"
    assert fit_out_of_distribution(*x, rows[:10], rows[10:19]).n == 19


def make_prediction(score=None, *, unlike_all=False, members=None):
    shares = {"gel": 0.9, "not_gel": 0.1}
    more = {"ood_score": score, "unlike_all": unlike_all, "members": members}
    return Prediction("a.png", "gel", shares, "run", **more)


@pytest.mark.parametrize(("score", "said"), [(None, False), (0.9, False), (1.2, True)])
@pytest.mark.parametrize("unlike_all", [False, True])
def test_the_form_and_programs_are_told(score, said, unlike_all):
    prediction = make_prediction(score, unlike_all=unlike_all and said)
    of = "all training images" if unlike_all else "the training images of gel"
    assert (f"unlike {of}: do not rely" in verdict(prediction, None)) == said
    told = prediction.to_dict()
    assert ("ood" in told) == (score is not None)
    assert told.get("ood", False) == said
    assert "set" not in told and "statement" not in told, "the model has no prediction sets"
    assert prediction.statement == "gel"


@pytest.mark.parametrize(
    ("score", "unlike_all", "members", "said"),
    [
        (0.5, False, ("gel",), "gel"),
        (None, False, ("gel",), "gel"),
        (0.5, False, ("gel", "not_gel"), "gel or not_gel: cannot say"),
        (0.5, False, (), "gel or none of these: cannot say"),
        (1.5, False, ("gel",), "gel, but unlike its training images: cannot say"),
        (1.5, True, ("gel",), "none of these"),
    ],
)
def test_what_can_be_said_of_an_image(score, unlike_all, members, said):
    prediction = make_prediction(score, unlike_all=unlike_all, members=members)
    told = prediction.to_dict()
    assert told["statement"] == prediction.statement == said
    assert told["set"] == list(members) and told["label"] == "gel"
    assert (said in verdict(prediction, None)) or said == "gel"
