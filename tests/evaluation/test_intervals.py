"""Intervals of the scores: they hold the truth as often as they say, whatever the scores are."""

from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest
from scipy.stats import binomtest

from gellib.base.paths import PROJECT_ROOT
from gellib.evaluation import (
    class_intervals,
    evaluate,
    evaluate_multilabel,
    intervals,
    multilabel_intervals,
)
from gellib.evaluation.resampling import bca, roc_auc_interval, wilson

BENCHMARKS = PROJECT_ROOT / "tests" / "benchmarks"
CLASSES = ("gel", "not_gel")


def drawn(n, n_classes=2, quality=1.5, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    logits = rng.normal(size=(n, n_classes)) + quality * np.eye(n_classes)[y]
    p = np.exp(logits)
    return y, p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("quality", [-12, 0.0, 1.5, 12])
def test_every_score_lies_in_its_interval(n_classes, quality):
    y, p = drawn(22, n_classes, quality)
    classes = tuple("abc"[:n_classes])
    scores = evaluate(y, p, classes)
    found = intervals(y, p, classes)
    names = {"accuracy", "precision", "recall", "f1", "kappa", "loss", "roc_auc"}
    names |= {"balanced_accuracy", "mcc"}
    names |= {"sensitivity", "specificity"} if n_classes == 2 else set()
    assert set(found) == names
    for name, (low, high) in found.items():
        assert low - 1e-9 <= scores[name] <= high + 1e-9, name
        assert low < high, f"{name}: an interval without a width says that all is known"
        assert name in ("loss", "kappa", "mcc") or 0 <= low and high <= 1
    for name, parts in class_intervals(y, p, classes).items():
        for score, (low, high) in parts.items():
            assert low - 1e-9 <= scores["per_class"][name][score] <= high + 1e-9 <= 1 + 1e-8


def test_shares_are_wilsons():
    y, p = drawn(22)
    wrong = int((p.argmax(axis=1) != y).sum())
    known = binomtest(22 - wrong, 22).proportion_ci(0.95, method="wilson")
    found = intervals(y, p, CLASSES)["accuracy"]
    assert found == pytest.approx([known.low, known.high], abs=1e-9)
    assert wilson(22, 22)[1] == 1.0


def test_sensitivity_is_that_of_the_positive_class():
    y = np.array([0] * 30 + [1] * 10)
    p = np.eye(2)[np.array([0] * 30 + [0] * 5 + [1] * 5)]
    by_gel = intervals(y, p, CLASSES, positive="gel")
    assert by_gel["sensitivity"] == list(wilson(30, 30))
    assert by_gel["specificity"] == list(wilson(5, 10))
    assert intervals(y, p, CLASSES, positive="not_gel")["sensitivity"] == list(wilson(5, 10))


@pytest.mark.slow
def test_area_has_the_spread_that_leaving_images_out_shows():
    y, p = drawn(200)
    truth, value, alone = (y == 1)[:, None], p[:, 1:], np.arange(200)
    low, high = roc_auc_interval(truth, value, alone)
    areas = np.array([evaluate(y[alone != i], p[alone != i], CLASSES)["roc_auc"] for i in alone])
    area = evaluate(y, p, CLASSES)["roc_auc"]
    spread = np.sqrt(199 / 200 * ((areas - areas.mean()) ** 2).sum())
    logit = [np.log(x / (1 - x)) for x in (low, area, high)]
    for half in np.diff(logit):
        assert half == pytest.approx(1.96 * spread / (area * (1 - area)), rel=0.02)


def test_copies_of_an_image_are_no_further_evidence():
    y, p = drawn(40)
    single = intervals(y, p, CLASSES)
    names = [f"group {i}" for i in range(40)] * 5
    copies = np.tile(y, 5), np.tile(p, (5, 1))
    grouped = intervals(*copies, CLASSES, groups=names)
    naive = intervals(*copies, CLASSES)
    for name, (low, high) in single.items():
        width = high - low
        assert np.diff(grouped[name])[0] == pytest.approx(width, rel=0.12), name
        assert np.diff(naive[name])[0] < 0.65 * width, name


def test_images_without_a_group_stand_alone():
    y, p = drawn(30)
    assert intervals(y, p, CLASSES, groups=[""] * 30) == intervals(y, p, CLASSES)


def test_same_seed_same_interval_and_numpys_state_is_left_alone():
    y, p = drawn(50)
    state = np.random.get_state()[1].copy()
    assert intervals(y, p, CLASSES, seed=3) == intervals(y, p, CLASSES, seed=3)
    assert intervals(y, p, CLASSES, seed=3) != intervals(y, p, CLASSES, seed=4)
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize("wrong", [0, 3])
def test_a_score_that_cannot_vary_has_no_interval(wrong):
    # Of one class alone, what is predicted as that class is right, whatever the model is worth.
    p = np.linspace(0.6, 0.9, 12)
    p[:wrong] = 0.3
    found = intervals(np.zeros(12, int), np.column_stack([p, 1 - p]), CLASSES)
    assert "precision" not in found
    assert all(low < high for low, high in found.values()) and "accuracy" in found


@pytest.mark.slow
@pytest.mark.parametrize(("n", "n_classes", "accuracy"), [(22, 2, 0.99), (100, 4, 0.998)])
def test_nearly_perfect_scores_are_held_too(n, n_classes, accuracy):
    spec = spec_from_file_location("simulated", BENCHMARKS / "coverage.py")
    simulated = module_from_spec(spec)
    spec.loader.exec_module(simulated)
    grid = np.linspace(1, 8, 200)
    true = [simulated.truths(d, n_classes)["accuracy"] for d in grid]
    distance = float(np.interp(accuracy, true, grid))
    result = simulated.coverage(np.random.default_rng(2), n, n_classes, distance, repeats=120)
    for name in ("f1", "kappa", "balanced_accuracy", "mcc"):
        assert result[name][0] > 0.9, (name, result)  # 0.80 with one prior for both bounds


def test_one_class_alone_and_one_image():
    found = intervals(np.zeros(5, int), drawn(5)[1], CLASSES)
    assert "roc_auc" not in found and "sensitivity" not in found
    (low, high) = intervals(np.array([0]), np.array([[0.9, 0.1]]), CLASSES)["accuracy"]
    assert low < 0.25 and high == 1.0


def test_bca_of_a_mean_agrees_with_the_normal_interval_and_copes_with_equal_values():
    values = np.random.default_rng(0).normal(size=300)

    def mean(w):
        return (w @ values) / w.sum(axis=1)

    low, high = bca(mean, 300, np.random.default_rng(1))
    half = 1.96 * values.std() / np.sqrt(300)
    assert [low, high] == pytest.approx([values.mean() - half, values.mean() + half], abs=0.02)
    assert bca(lambda w: np.ones(len(w)), 9, np.random.default_rng(0)) == [1.0, 1.0]
    assert bca(mean, 1, np.random.default_rng(0)) is None
    assert bca(lambda w: np.full(len(w), np.nan), 9, np.random.default_rng(0)) is None


@pytest.mark.parametrize(("n", "distance"), [(22, 3.0), (100, 2.0)])
@pytest.mark.slow
def test_they_hold_the_truth_nearly_as_often_as_they_say(n, distance):
    # By its path: `coverage` is the name of a package too.
    spec = spec_from_file_location("simulated", BENCHMARKS / "coverage.py")
    simulated = module_from_spec(spec)
    spec.loader.exec_module(simulated)
    result = simulated.coverage(
        np.random.default_rng(1), n, 2, distance, repeats=120, plain_bca=n == 22
    )
    for name in ("accuracy", "f1", "roc_auc", "kappa", "balanced_accuracy", "mcc"):
        # Three standard errors below 95 %: what a bootstrap alone misses by far.
        assert result[name][0] > 0.89, (name, result)
    if n == 22:
        assert result["f1 by BCa"][0] < 0.89


@pytest.mark.slow
def test_several_labels_an_image():
    rng = np.random.default_rng(0)
    y = (rng.random((60, 4)) < 0.4).astype(int)
    p = np.clip(0.5 + 0.4 * (y - 0.5) + 0.25 * rng.normal(size=y.shape), 0, 1)
    scores = evaluate_multilabel(y, p, tuple("abcd"), [0.5] * 4)
    found = multilabel_intervals(y, p, [0.5] * 4)
    assert {"accuracy", "f1", "f1_micro", "f1_samples", "hamming_loss", "roc_auc"} <= set(found)
    for name, (low, high) in found.items():
        assert low <= scores[name] <= high and low < high, name
    right = multilabel_intervals(y, y.astype(float), [0.5] * 4)
    for name, (low, high) in right.items():
        assert low < high, f"{name}: 60 images without a mistake are no proof"


@pytest.mark.parametrize("given", [0.0, 1.0])
def test_several_labels_of_which_none_is_found_are_not_taken_for_all_right(given):
    # A network that has learnt nothing gives no label, or every label, to every image.
    y = np.zeros((20, 3), int)
    y[np.arange(20), np.arange(20) % 3] = 1
    y = 1 - y if given else y
    p = np.full(y.shape, 0.1) if not given else np.where(y == 1, 0.2, 0.9)
    scores = evaluate_multilabel(y, p, tuple("abc"), [0.5] * 3)
    found = multilabel_intervals(y, p, [0.5] * 3)
    assert scores["f1_samples"] == 0 and "f1_samples" in found
    for name, (low, high) in found.items():
        assert low <= scores[name] <= high and low < high, name
