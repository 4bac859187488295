"""Which images are chosen to be labelled: uncertain, unlike each other, one of each group."""

import numpy as np
import pytest

from gellib.evaluation.active_learning import choose_next_images, label_uncertainty


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_even_row_is_uncertain_and_the_sure_one_is_not(classes):
    even, sure = np.full(classes, 1 / classes), np.eye(classes)[0]
    assert label_uncertainty(np.stack([even, sure])) == pytest.approx([1, 0])


def test_one_unclear_label_of_several_makes_an_image_uncertain():
    p = np.array([[0.99, 0.5, 0.01], [1.0, 0.0, 1.0]])
    assert label_uncertainty(p, exclusive=False) == pytest.approx([1, 0])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("n", [1, 7, 12, 500])
def test_of_each_group_one_and_no_more_than_there_are(n, share):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    found = choose_next_images(
        rng.random(60), rng.normal(size=(60, 4)), groups, n, random_share=share
    )
    assert len(found.rows) == min(n, 12) == len(set(groups[found.rows]))
    assert found.at_random.sum() == round(share * min(n, 12))
    assert not found.at_random[: len(found.rows) - found.at_random.sum()].any()


def test_uncertain_picks_are_spread_over_clusters():
    rng = np.random.default_rng(1)
    cluster = np.repeat([0, 1, 2], [24, 3, 3])
    features = rng.normal(scale=0.01, size=(30, 2)) + np.array([[0, 0], [9, 0], [0, 9]])[cluster]
    for seed in range(20):
        found = choose_next_images(
            np.full(30, 0.5), features, np.arange(30), 10, random_share=0, seed=seed
        )
        assert set(cluster[found.rows[:3]]) == {0, 1, 2}


def test_certain_images_are_picked_at_random_alone():
    uncertainty = np.r_[np.full(40, 0.9), np.full(400, 0.0)]
    features = np.random.default_rng(2).normal(size=(440, 3))
    found = choose_next_images(uncertainty, features, np.arange(440), 12)
    assert (found.rows[~found.at_random] < 40).all()


def test_random_picks_come_from_those_that_may_be_drawn():
    may = np.arange(50) >= 45
    found = choose_next_images(
        np.linspace(1, 0, 50), np.random.default_rng(3).normal(size=(50, 3)), np.arange(50), 8,
        drawn_from=may,
    )  # fmt: skip
    assert may[found.rows[found.at_random]].all()


@pytest.mark.parametrize("features", [np.zeros((9, 3)), np.ones((9, 1))])
def test_equal_images_are_chosen_all_the_same_and_by_the_seed(features):
    args = np.zeros(9), features, np.arange(9)
    first, again, other = (choose_next_images(*args, 9, seed=s).rows for s in (0, 0, 1))
    assert (first == again).all() and set(first) == set(range(9)) == set(other)
    assert len(choose_next_images(np.zeros(0), np.zeros((0, 3)), np.zeros(0, int), 3).rows) == 0


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="got 3 uncertainties, 2 rows of features and 3 groups"):
        choose_next_images(np.zeros(3), np.zeros((2, 2)), np.zeros(3, int), 1)
