"""The learning curve of solved heads, and what more images would give."""

import dataclasses

import numpy as np
import pytest

from gellib.evaluation.extrapolation import extrapolate
from gellib.evaluation.learning_curve import (
    LearningCurve,
    _decide,
    _interleave,
    measure_learning_curve,
)


def make_features(n=90, d=20, gap=1.0, seed=0, per_group=1):
    rng = np.random.default_rng(seed)
    groups = np.arange(n) // per_group
    y = (groups + 1) % 2
    x = rng.normal(size=(n, d)) + gap * (2 * y[:, None] - 1) / np.sqrt(d)
    return x, y, groups


def make_curve(errors, sizes, n=400, seed=0):
    """A curve whose images are wrong with these rates, whatever the repeat."""
    rng = np.random.default_rng(seed)
    luck = rng.random(n)
    scores = np.stack([np.tile(luck >= error, (4, 1)) for error in errors]).astype(float)
    return LearningCurve(np.asarray(sizes, float), scores, np.arange(n), 0.5)


@pytest.mark.slow
def test_more_images_are_better():
    curve = measure_learning_curve(*make_features(n=200, gap=1.3), repeats=2)
    assert (np.diff(curve.sizes) > 0).all()
    assert curve.sizes[-1] == pytest.approx(160)
    assert curve.means[-1] > curve.means[0] + 0.05
    assert curve.scores.shape == (7, 2, 200)
    assert np.isin(curve.scores, [0, 1]).all()


@pytest.mark.slow
def test_each_image_is_tested_by_heads_that_did_not_see_it():
    # Labels at random: a head that had seen an image, or its twin in the group, would know it.
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(30, 200)), 4, axis=0)
    y = np.repeat(rng.integers(0, 2, 30), 4)
    curve = measure_learning_curve(x, y, np.repeat(np.arange(30), 4), repeats=2)
    assert curve.means[-1] < 0.75
    torn = measure_learning_curve(x, y, np.arange(120), repeats=2)
    assert torn.means[-1] > 0.95


@pytest.mark.slow
def test_the_same_seed_gives_the_same_curve():
    first, again = (measure_learning_curve(*make_features(), repeats=1, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.scores, again.scores)
    other = measure_learning_curve(*make_features(), repeats=1, seed=4)
    assert (first.scores != other.scores).any()


@pytest.mark.slow
def test_more_features_than_images_give_the_same_predictions():
    x, y, groups = make_features(n=60, d=30)
    wide = np.hstack([x, np.zeros((60, 200))])
    narrow = measure_learning_curve(x, y, groups, repeats=1)
    np.testing.assert_array_equal(
        measure_learning_curve(wide, y, groups, repeats=1).scores, narrow.scores
    )


@pytest.mark.slow
def test_labels_of_their_own_are_scored_by_f1():
    x, y, groups = make_features(n=80, gap=3.0)
    both = np.stack([y, 1 - y, np.zeros_like(y)], axis=1)
    curve = measure_learning_curve(x, both, groups, repeats=1)
    assert curve.means[-1] > 0.8
    assert curve.chance == 0


@pytest.mark.parametrize(("n", "per_group"), [(12, 1), (30, 6), (5, 1)])
def test_too_few_images_give_no_curve(n, per_group):
    assert measure_learning_curve(*make_features(n=n, per_group=per_group)) is None


@pytest.mark.parametrize("label", [0, 1, 4])
def test_a_subset_of_one_class_predicts_that_class(label):
    x = np.random.default_rng(0).normal(size=(6, 3))
    assert _decide(x, np.full(6, label), x[:4]).tolist() == [label] * 4


@pytest.mark.parametrize("per_group", [1, 2])
def test_every_subset_has_all_classes(per_group):
    y = np.repeat([0, 1, 2], [90, 20, 10])
    groups = np.arange(120) // per_group
    units = _interleave(y, groups, np.random.default_rng(0))
    rows = np.concatenate(units)
    assert sorted(rows) == list(range(120))
    for size in (15, 30, 60, 120):
        counts = np.bincount(y[rows[:size]], minlength=3)
        np.testing.assert_allclose(counts, size * np.array([0.75, 1 / 6, 1 / 12]), atol=2.1)


def test_a_group_with_a_few_images_of_another_class_is_not_taken_for_one_of_it():
    groups = np.repeat(np.arange(95), 5)
    y = (groups >= 60).astype(int)
    y[:300:5] = 1  # in every group of class 0; class 1 is rarer all the same
    assert y.sum() < (y == 0).sum()
    units = _interleave(y, groups, np.random.default_rng(0))
    of_1 = np.cumsum([groups[unit[0]] >= 60 for unit in units])
    assert np.abs(of_1 - np.arange(1, 96) * 35 / 95).max() < 1.5


@pytest.mark.parametrize("c", [0.3, 0.5])
@pytest.mark.slow
def test_a_law_is_followed(c):
    sizes = np.array([20, 28, 40, 57, 80, 113, 160])
    curve = make_curve(1.2 * sizes**-c, sizes, n=4000)
    found = extrapolate(curve, np.array([640]))
    assert found.low[0] < 1 - 1.2 * 640**-c < found.high[0]


def test_a_steep_curve_is_called_rising():
    sizes = np.array([40, 57, 80, 113, 160, 226, 320])
    found = extrapolate(make_curve(2 * sizes**-0.5, sizes), np.array([800]))
    assert found.rising
    assert not found.flat


def test_a_flat_curve_is_called_flat():
    sizes = np.array([20, 28, 40, 57, 80, 113, 160])
    found = extrapolate(make_curve(np.full(7, 0.1), sizes, n=2000), np.array([200, 400]))
    assert found.flat
    assert not found.rising
    np.testing.assert_allclose(found.middle, 0.9, atol=0.02)


def test_all_right_promises_no_certainty():
    sizes = np.array([10, 20, 40, 80])
    found = extrapolate(make_curve(np.zeros(4), sizes, n=40), np.array([200]))
    assert found.low[0] < 0.99
    assert found.high[0] == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
def test_few_images_give_a_wider_band_than_many():
    sizes = np.array([10, 20, 40, 80])
    errors = 0.8 * sizes**-0.4
    few, many = (
        extrapolate(make_curve(errors, sizes, n=n, seed=2), np.array([160])) for n in (50, 5000)
    )
    assert few.high[0] - few.low[0] > 2 * (many.high[0] - many.low[0])


def test_images_of_a_group_count_as_one():
    sizes = np.array([10, 20, 40, 80])
    alone = make_curve(0.8 * sizes**-0.4, sizes, n=400)
    groups = np.argsort(np.argsort(alone.scores.sum(axis=(0, 1)), kind="stable")) // 20
    together = dataclasses.replace(alone, groups=groups)
    widths = [np.ptp([e.low[0], e.high[0]]) for e in
              (extrapolate(curve, np.array([160])) for curve in (alone, together))]  # fmt: skip
    assert widths[1] > 2 * widths[0]


@pytest.mark.slow
def test_the_band_holds_the_truth():
    """A sample of tests/benchmarks/learning_curve.py: new sets from one population."""
    from tests.benchmarks import learning_curve as benchmark

    arguments = (120, 32, 1.4, 0.0, 1)
    truth = benchmark.truth_of_population(arguments, 9)
    held = []
    for i in range(25):
        curve = measure_learning_curve(*benchmark.simulate(60, *arguments[1:], 900 + i), repeats=2)
        found = extrapolate(curve, np.array([96]), seed=i)
        held.append(found.low[0] <= truth <= found.high[0])
    # 25 draws at 85 %: fewer than 17 happen once in 100.
    assert sum(held) >= 17
