"""Verdicts and corrected scores from cross-validated scores."""

import tracemalloc
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest

from gellib.base.paths import PROJECT_ROOT
from gellib.evaluation.crossval import (
    BETTER,
    SAME,
    UNCLEAR,
    WORSE,
    choose,
    compare,
    compare_contrasts,
    corrected_score,
    score_interval,
)
from gellib.evaluation.crossval.folded import fold_scores
from gellib.evaluation.resampling import wilson


def scored(shares, images=200, repeats=3, seed=0, alike=0.5):
    """Right and wrong predictions of configurations that agree on a part of the images."""
    rng = np.random.default_rng(seed)
    own = rng.random((len(shares), 1, images))
    common = rng.random(images) < alike
    hard = np.where(common, rng.random(images), own)
    wobble = 0.02 * rng.standard_normal((len(shares), repeats, images))
    values = (hard + wobble < np.array(shares)[:, None, None]).astype(float)
    folds = np.stack([rng.permutation(images) % 5 for _ in range(repeats)])
    return values, folds


def test_the_four_verdicts():
    values, folds = scored([0.9, 0.9, 0.6, 0.88], 400)
    values[1] = values[0]
    found = compare(values, folds, losses=[0.2, 0.1, 1.0, 0.3])
    assert found.chosen == 1  # equal scores: the least loss
    assert [v.b for v in found.against] == [0, 2, 3] and all(v.a == 1 for v in found.against)
    assert found.of(0).verdict == SAME and found.of(2).verdict == BETTER
    few, few_folds = scored([0.9, 0.8], 30)
    assert compare(few, few_folds).against[0].verdict == UNCLEAR
    flipped = compare_contrasts(values, folds, None, np.array([[0.0, 0.0, 1.0, -1.0]]))
    assert flipped[0].verdict == WORSE


def test_each_verdict_agrees_with_its_interval():
    for seed in range(5):
        values, folds = scored([0.9, 0.9, 0.85, 0.8, 0.7], 150, seed=seed)
        for verdict in compare(values, folds, all_pairs=True).pairs:
            assert verdict.low <= verdict.difference <= verdict.high
            assert verdict.low < verdict.high, "an interval without a width says that all is known"
            assert -1 <= verdict.low and verdict.high <= 1
            if verdict.verdict == BETTER:
                assert verdict.p_adjusted <= 0.05 and verdict.low >= 0
            assert (verdict.images_needed is not None) == (verdict.verdict == UNCLEAR)
            assert verdict.p <= verdict.p_adjusted + 1e-9


@pytest.mark.parametrize(("images", "verdict"), [(20, UNCLEAR), (1000, SAME)])
def test_equal_predictions_prove_equality_only_where_they_are_many(images, verdict):
    values, folds = scored([0.9, 0.9], images)
    values[1] = values[0]
    found = compare(values, folds).against[0]
    assert found.verdict == verdict and found.low < 0 < found.high
    assert found.high == pytest.approx(-found.low)


def test_copies_of_an_image_are_no_further_evidence():
    values, folds = scored([0.9, 0.82], 100)
    names = [f"image {i}" for i in range(100)] * 4
    copies, their_folds = np.tile(values, (1, 1, 4)), np.tile(folds, (1, 4))
    single = compare(values, folds).against[0]
    grouped = compare(copies, their_folds, names).against[0]
    naive = compare(copies, their_folds).against[0]
    assert grouped.difference == pytest.approx(single.difference)
    assert grouped.high - grouped.low >= 0.95 * (single.high - single.low)
    assert naive.high - naive.low < 0.75 * (single.high - single.low)
    width = [score_interval(values[0], folds), score_interval(copies[0], their_folds, names)]
    assert width[1].high - width[1].low >= 0.95 * (width[0].high - width[0].low)


@pytest.mark.parametrize("images", [1, 10, 92])
@pytest.mark.parametrize("right", [0.0, 1.0])
def test_all_right_is_no_proof(images, right):
    values = np.full((5, images), right)
    found = score_interval(values, np.zeros((5, images), int))
    assert found.score == right and found.low < found.high
    assert 0 <= found.low and found.high <= 1


@pytest.mark.parametrize("images", [1, 10, 92])
@pytest.mark.parametrize("shares", [[1.0, 1.0], [1.0, 0.8, 0.7], [0.0, 0.0], [0.9] * 12])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_corrected_score_is_never_without_a_width(images, shares, grouped):
    values, folds = scored(shares, images)
    groups = [f"g{i // 5}" for i in range(images)] if grouped else None
    found = corrected_score(values, folds, groups)
    assert 0 <= found.low <= found.score <= found.high <= 1
    low, high = wilson(found.seen * images, images)
    assert found.high - found.low > 0.4 * (high - low), "about that of as many single images"


@pytest.mark.slow
def test_the_choice_costs_the_more_the_more_there_were():
    few, many = [], []
    for seed in range(20):
        values, folds = scored([0.85] * 20, 92, seed=seed, alike=0.0)
        for kept, count in ((few, 2), (many, 20)):
            found = corrected_score(values[:count], folds)
            assert found.low <= found.score <= found.seen
            kept.append(found.seen - found.score)
    assert np.mean(many) > np.mean(few) + 0.01
    alone = corrected_score(values[:1], folds)
    assert alone.score == alone.seen and alone.chosen == 0


def test_missing_scores_leave_their_images_out():
    values, folds = scored([0.9, 0.7, 0.8], 60)
    values[1, :, :10] = np.nan
    values[0, 0, 20] = np.nan  # one repeat alone: the others stand for it
    found = compare(values, folds)
    assert found.images == 50
    with pytest.raises(ValueError, match="no image was scored by every configuration"):
        compare(
            np.where(np.arange(60) < 30, values[:1], np.nan)[[0, 0]] * [[[1]], [[np.nan]]], folds
        )
    with pytest.raises(ValueError, match="expected"):
        compare(values, folds[:, 1:])
    with pytest.raises(ValueError, match="groups"):
        compare(values, folds, ["a"])


def test_a_single_repeat_and_scores_of_several_labels_will_do():
    values, folds = scored([0.9, 0.6], 200, repeats=1)
    assert compare(values, folds).against[0].verdict == BETTER
    rng = np.random.default_rng(0)
    f1 = np.clip(values + 0.2 * rng.standard_normal(values.shape), 0, 1)
    found = score_interval(f1[0], folds)
    assert found.low < found.score < found.high


@pytest.mark.parametrize("groups", [None, [f"g{i % 7}" for i in range(60)], ["", "a", "a"] * 20])
def test_scores_are_summed_over_groups(groups):
    values, folds = scored([0.9, 0.6], 60)
    names = range(60) if groups is None else [name or i for i, name in enumerate(groups)]
    members = [[i for i in range(60) if names[i] == name] for name in dict.fromkeys(names)]
    found = fold_scores(values, folds, groups)
    by_repeat = np.array([values[:, :, rows].sum(axis=2) for rows in members])  # (G, K, R)
    assert sorted(found.sizes) == sorted(map(len, members))
    for k in range(2):
        expected = sorted(by_repeat[:, k].mean(axis=1))
        assert sorted(found.sums[:, k]) == pytest.approx(expected)
    # Of a single repeat: the unbiased variance between repeats, summed over the groups.
    covariance = sum(np.cov(of_group) for of_group in by_repeat)
    assert found.between == pytest.approx(covariance)


def test_memory_grows_with_the_images_and_not_with_their_square():
    values, folds = scored([0.9, 0.6], 10_000)
    tracemalloc.start()
    fold_scores(values, folds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6  # a table of groups by images: 800 MB


def test_contrasts_weigh_configurations():
    values, folds = scored([0.9, 0.9, 0.6, 0.6], 300)
    found = compare_contrasts(values, folds, None, np.array([[0.5, 0.5, -0.5, -0.5]]))[0]
    assert found.verdict == BETTER
    assert found.difference == pytest.approx(values[:2].mean() - values[2:].mean())
    with pytest.raises(ValueError, match="add up to 0"):
        compare_contrasts(values, folds, None, np.array([[1.0, 0.0, 0.0, 0.0]]))


def test_the_same_seed_gives_the_same_and_numpys_state_is_left_alone():
    values, folds = scored([0.9, 0.85, 0.8], 80)
    state = np.random.get_state()[1].copy()
    assert compare(values, folds, seed=3) == compare(values, folds, seed=3)
    assert corrected_score(values, folds, seed=3) == corrected_score(values, folds, seed=3)
    assert (np.random.get_state()[1] == state).all()


def test_choice_is_by_score_then_loss_then_order():
    assert choose(np.array([0.5, 0.9, 0.9])) == 1
    assert choose(np.array([0.5, 0.9, 0.9]), [0.1, 0.4, 0.3]) == 2
    assert choose(np.array([0.9, 0.9]), [np.nan, 0.3]) == 1


@pytest.fixture(scope="module")
def evidence():
    path = PROJECT_ROOT / "tests" / "benchmarks" / "evidence.py"
    spec = spec_from_file_location("evidence", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_real_cross_validation_of_equal_configurations_is_judged_at_the_rate_that_is_said(evidence):
    (row,) = evidence.measure(40, 1, 0.0, 60, counts=(3,))
    # 5 % are allowed: 8 or more of 60 have a chance of 1 % then.
    assert row["false"] < 8 / 60 and row["corrected"] > 0.85 and row["single"] > 0.85
    assert abs(row["bias"]) < row["bias seen"]


@pytest.mark.slow
def test_cross_validation_sees_more_than_a_single_split(evidence):
    (row,) = evidence.measure(92, 1, 0.1, 40, counts=(3,))
    assert row["false"] < 6 / 40 and row["false same"] < 6 / 40
    assert row["seen"] >= 4 * row["holdout"] and row["seen"] > 0.25
