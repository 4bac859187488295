"""Trials on labelled images: whether choosing saves labels, and what is said of it."""

import numpy as np
import pytest

from gellib.evaluation.label_savings import Savings, try_choice
from tests.benchmarks import next_images as benchmark


def test_choosing_finds_rare_unclear_images():
    x, y, groups = benchmark.simulate(120, 0.85, 0)
    found = try_choice(x, y, groups, trials=4)
    assert found.gain > 0.03 and found.reached > found.by_random
    assert (found.trials, found.images) == (4, 120)
    assert found.labels == round(0.6 * found.all_labels)


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("size", [1, 3])
def test_labels_by_chance_make_random_images_as_good(classes, size):
    rng = np.random.default_rng(classes)
    groups = np.repeat(np.arange(60), size)
    y = rng.integers(0, classes, 60)[groups]
    found = try_choice(rng.normal(size=(len(y), 5)), y, groups, trials=8)
    assert not found.reliable and found.sentence().startswith("images picked at random")


def test_images_that_are_all_right_make_random_images_as_good():
    y = np.arange(80) % 2
    x = np.random.default_rng(0).normal(3.0 * y[:, None], 1, (80, 20))
    found = try_choice(x, y, np.arange(80), trials=3)
    assert found.reached == found.by_random == 1 and not found.reliable
    assert found.sentence().startswith("images picked at random are as good")


def test_few_groups_are_not_tried_and_many_images_are_cut():
    x, y, groups = benchmark.simulate(120, 0.85, 0)
    assert try_choice(x, y, groups // 4, trials=1) is None
    assert try_choice(*benchmark.simulate(900, 0.85, 0), trials=1).images == 500


def test_the_same_seed_gives_the_same():
    made = benchmark.simulate(80, 0.85, 0)
    first, again, other = (try_choice(*made, trials=2, seed=s) for s in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(
    ("reached", "by_random", "gain", "said"),
    [
        (0.8, 0.5, 0.01, "in 20 trials"),
        (0.8, 0.5, 0.009, "images picked at random may be as good: in 20 trials"),
        (0.79, 0.5, 0.01, "images picked at random may be as good: in 20 trials"),
        (0.6, 0.2, 0.05, "in 20 trials"),
        (0.9, 0.9, 0.0, "images picked at random are as good"),
        (0.9, 0.95, 0.01, "images picked at random are as good"),
        (0.4, 0.3, -0.01, "images picked at random are as good"),
    ],
)
def test_what_is_said(reached, by_random, gain, said):
    text = Savings(20, 253, 60, 100, reached, by_random, gain).sentence()
    assert text.startswith(said)
    assert f"60 chosen this way were as good as 100 random ones in {reached:.0%}" in text
    assert f"{100 * gain:+.1f} points" in text


@pytest.mark.slow
def test_chosen_images_are_no_worse_than_random_ones_and_better_where_few_are_unclear():
    """A sample of tests/benchmarks/next_images.py."""
    for made, gain in (
        (benchmark.simulate(200, 0.85, 1), 0.02),
        (benchmark.simulate_chance(200, 1), -0.02),
    ):
        _, curves = benchmark.measure(*made, draws=6)
        lead = (curves["gellib next"] - curves["random"]).mean(axis=0)
        assert lead.min() >= -0.02 and lead.max() >= gain
