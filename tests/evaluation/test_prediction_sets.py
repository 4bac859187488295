"""Prediction sets: limits by hand, groups, repeats, too few images, and words."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from gellib.evaluation import PredictionSetRule, fit_prediction_sets, set_text
from gellib.evaluation.conformal import conformal_limit, fewest_groups


@pytest.mark.parametrize(("rate", "n"), [(0.05, 19), (0.1, 9), (0.01, 99), (0.2, 4)])
def test_a_limit_needs_enough_groups(rate, n):
    assert fewest_groups(rate) == n
    values = np.arange(float(n))
    assert conformal_limit(values, np.arange(n), rate) == (n - 1, n)
    assert conformal_limit(values[1:], np.arange(n - 1), rate) == (np.inf, n - 1)


@pytest.mark.parametrize("n", [19, 25, 38, 39, 58, 59, 100, 999])
def test_the_limit_is_the_order_statistic_of_split_conformal(n):
    values = np.random.default_rng(n).normal(size=n)
    expected = np.sort(values)[int(np.ceil(0.95 * (n + 1) - 1e-9)) - 1]
    assert conformal_limit(values, np.arange(n), 0.05)[0] == expected


def test_a_group_counts_as_one_however_many_images_it_has():
    values, groups = np.arange(19.0), np.arange(19)
    copies = np.repeat(values, [1] * 18 + [50]), np.repeat(groups, [1] * 18 + [50])
    assert conformal_limit(*copies, 0.05) == conformal_limit(values, groups, 0.05) == (18, 19)
    # Of 39 groups one may exceed the limit: half of each of two does.
    pairs = np.repeat(np.arange(39), 2)
    assert conformal_limit(np.tile([0.0, 1.0], 39) + pairs, pairs, 0.05) == (38, 39)


def test_repeats_share_the_weight_of_an_image_and_missing_ones_count_not():
    values = np.arange(20.0)
    assert conformal_limit(np.stack([values] * 4), values, 0.05)[0] == 19
    some = np.stack([values, np.where(values == 3, np.nan, values), values])
    assert conformal_limit(some, values, 0.05)[1] == 20


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 4])
def test_a_further_group_exceeds_the_limit_as_rarely_as_stated(size):
    rng, shares = np.random.default_rng(0), []
    for _ in range(2000):
        common = np.repeat(rng.normal(size=41), size)
        values = common + rng.normal(size=41 * size) / 3
        limit, _ = conformal_limit(values[:-size], np.repeat(np.arange(40), size), 0.05)
        shares.append((values[-size:] > limit).mean())
    assert 0.02 < np.mean(shares) < 0.055


def make_two_classes(n, rng):
    truth = np.arange(n) % 2
    odds = np.where(truth, 1, -1) * rng.normal(2, 1.5, n)
    p = 1 / (1 + np.exp(-odds))
    return truth, np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("n", [60, 500])
def test_sets_hold_the_class_as_often_as_stated(n):
    rng, found = np.random.default_rng(n), []
    for _ in range(200):
        truth, p = make_two_classes(n, rng)
        rule = fit_prediction_sets(truth, p)
        new, q = make_two_classes(400, rng)
        inside = rule.apply(q)[np.arange(400), new]
        found.append([inside[new == c].mean() for c in (0, 1)])
    assert np.mean(found, axis=0) == pytest.approx(0.96, abs=0.015)


def test_a_class_with_too_few_images_is_named_and_does_not_blur_all_sets():
    truth = np.repeat([0, 1, 2], [40, 30, 6])
    p = np.eye(3)[truth] * 0.9 + 0.1 / 3
    rule = fit_prediction_sets(truth, p, source="validation")
    assert rule.supported == (True, True, False) and rule.groups == (40, 30, 6)
    assert rule.unsupported("abc") == {"c": 6}
    said = rule.warning("abc")
    assert "19 or more independent validation images" in said and "c has 6" in said
    assert rule.thresholds[2] == pytest.approx(0.05)
    assert rule.apply(p[:1]).tolist() == [[True, False, False]]
    assert fit_prediction_sets(truth[:70], p[:70]).warning("abc").endswith("c has 0")
    assert not fit_prediction_sets(truth[truth < 2], p[truth < 2, :2]).warning("ab")


def test_the_most_probable_class_is_in_every_set_but_an_empty_one():
    rule = PredictionSetRule((0.8, 0.3), (40, 40))
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.75, 0.25], [0.1, 0.9]])
    assert rule.apply(p).tolist() == [[1, 0], [1, 1], [0, 0], [0, 1]]
    assert rule.apply(p, exclusive=False).tolist() == [[1, 0], [0, 1], [0, 0], [0, 1]]


def test_several_labels_have_a_limit_each():
    rng = np.random.default_rng(0)
    truth = (rng.random((300, 3)) < 0.4).astype(int)
    p = np.clip(truth * 0.6 + 0.2 + rng.normal(0, 0.1, truth.shape), 0, 1)
    rule = fit_prediction_sets(truth, p)
    sets = rule.apply(p, exclusive=False)
    held = [sets[truth[:, c] == 1, c].mean() for c in range(3)]
    assert held == pytest.approx([0.95] * 3, abs=0.02)


def test_a_rule_is_kept_as_plain_values():
    truth, p = make_two_classes(80, np.random.default_rng(0))
    rule = fit_prediction_sets(truth, p, np.arange(80) // 2)
    assert PredictionSetRule.load(json.loads(json.dumps(rule.metadata()))) == rule
    assert (rule.apply(p) == PredictionSetRule.load(rule.metadata()).apply(p)).all()


@pytest.mark.parametrize("given", [(4, 3), (2, 4, 3), (3,)])
def test_what_does_not_agree_is_refused(given):
    with pytest.raises(ValueError, match="prediction sets: got"):
        fit_prediction_sets(np.arange(3), np.zeros(given))


@pytest.mark.parametrize(
    ("label", "members", "exclusive", "said"),
    [
        ("gel", ["gel"], True, "gel"),
        ("gel", ["gel", "not_gel"], True, "gel or not_gel: cannot say"),
        ("b", ["a", "b", "c"], True, "b or a or c: cannot say"),
        ("gel", [], True, "gel or none of these: cannot say"),
        ("a|b", ["a", "b", "c"], False, "possible: a, b, c"),
        ("", [], False, "none of the labels"),
    ],
)
def test_sets_in_words(label, members, exclusive, said):
    assert set_text(label, members, exclusive=exclusive) == said


@pytest.mark.slow
def test_real_heads_hold_the_class_as_often_as_stated():
    path = Path(__file__).parents[1] / "benchmarks" / "prediction_sets.py"
    spec = spec_from_file_location("prediction_sets_benchmark", path)
    benchmark = module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    (row,) = benchmark.coverage(
        12, cases=["two classes, hard"], sizes=[100], strengths=[benchmark.STRENGTHS[0]]
    )
    # The standard error of 12 simulations is about 1 point.
    assert np.mean(row["repeats"]) == pytest.approx(0.96, abs=0.025)
    assert 0.4 < row["repeats, single"] < 0.95 < row["right"] + 0.15
