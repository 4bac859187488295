"""Folds of a cross-validation: every image once, classes in shares, groups whole."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gellib.data.folds import (
    draw_folds,
    draw_validation,
    find_refusals,
    merge_validation,
    pool_images,
)
from gellib.data.imageset import make_imageset
from gellib.data.splits import SplitError
from gellib.evaluation import MULTILABEL, SINGLE_LABEL


def images_of(labels, groups=None, splits=None):
    """A set of images that are not there: labels by image, tuples for several."""
    n = len(labels)
    rows = [
        {
            "file": f"{i:04d}.png",
            "path": f"/{i}",
            "label": labels[i],
            "group": groups[i] if groups else "",
            "split": splits[i] if splits else "",
        }
        for i in range(n)
    ]
    multilabel = any(isinstance(label, tuple) for label in labels)
    numbers = {c for label in labels for c in (label if isinstance(label, tuple) else (label,))}
    classes = tuple("abcdefgh"[: max(numbers) + 1])
    return make_imageset(Path("x"), rows, classes, MULTILABEL if multilabel else SINGLE_LABEL)


def drawn(images, folds=5, repeats=3, seed=0):
    pooled = pool_images(images)
    return pooled, draw_folds(pooled, folds=folds, repeats=repeats, seed=seed)


SETS = {
    "even": ([0, 1] * 30, None),
    "rare class": ([0] * 50 + [1] * 7, None),
    "groups": ([0, 1, 2] * 20, [f"g{i // 4}" for i in range(60)]),
    "large groups": ([0] * 40 + [1] * 40, [f"g{i // 9}" for i in range(80)]),
    "some grouped": ([0, 1] * 25, ["" if i % 3 else f"g{i // 10}" for i in range(50)]),
    "several labels": ([(0, 1), (1,), (), (2,), (0,)] * 12, [f"g{i // 2}" for i in range(60)]),
}


@pytest.mark.parametrize("name", SETS)
def test_each_image_is_held_out_once_per_repeat_and_groups_stay_whole(name):
    labels, groups = SETS[name]
    images, folds = drawn(images_of(labels, groups))
    assert folds.numbers.shape == (3, len(labels)) and folds.count == 5 and not folds.note
    for numbers in folds.numbers:
        assert set(numbers) == set(range(5))
        table = pd.DataFrame({"fold": numbers, "group": images.table["group"]})
        named = table[table["group"] != ""]
        assert (named.groupby("group")["fold"].nunique() == 1).all()
    assert not np.array_equal(folds.numbers[0], folds.numbers[1])
    for fold in range(5):
        held, trained = folds.held_out(1, fold), folds.training(1, fold)
        assert sorted([*held, *trained]) == list(range(len(labels)))


def test_each_fold_has_the_share_of_each_class():
    labels, _ = SETS["rare class"]
    _, folds = drawn(images_of(labels))
    for numbers in folds.numbers:
        counts = pd.crosstab(numbers, np.array(labels))
        assert counts[0].tolist() == [10] * 5
        assert set(counts[1]) == {1, 2}


def test_folds_depend_on_seed_and_images_and_not_on_their_order():
    labels, groups = SETS["groups"]
    images = images_of(labels, groups)
    pooled, folds = drawn(images)
    assert np.array_equal(folds.numbers, drawn(images)[1].numbers)
    assert not np.array_equal(folds.numbers, drawn(images, seed=1)[1].numbers)
    order = np.random.default_rng(0).permutation(len(labels))
    assert np.array_equal(drawn(images.take(order))[1].numbers, folds.numbers[:, order])


def test_a_given_test_part_takes_no_part_and_given_validation_images_do():
    splits = ["train", "val", "test", ""] * 10
    groups = ["g" if i in (2, 3) else "" for i in range(40)]  # one of test, one of no split
    given = images_of([0, 0, 0, 0, 1, 1, 1, 1] * 5, groups, splits)
    images, folds = drawn(given)
    test = ((given.table["split"] == "test") | (given.table["group"] == "g")).to_numpy()
    assert test.sum() == 11 and (images.table["split"] == np.where(test, "test", "cv")).all()
    assert ((folds.numbers < 0) == test).all()
    assert len(folds.rows) == folds.groups == 29


@pytest.mark.parametrize(
    ("labels", "groups", "count", "words"),
    [
        ([0] * 9 + [1] * 3, None, 3, "Class 'b' has 3 images, so 3 folds are drawn instead of 5"),
        (
            [0] * 9 + [1] * 9,
            [""] * 9 + ["p", "q", "r"] * 3,
            3,
            "Class 'b' has 9 images in 3 groups",
        ),
        ([(0,), (0, 1), (1,)], None, 3, "There are 3 groups, so 3 folds"),
        ([0, 1] * 2, None, 2, "Class 'a' has 2 images, so 2 folds"),
    ],
)
def test_a_small_class_reduces_the_folds_with_a_note(labels, groups, count, words):
    images, folds = drawn(images_of(labels, groups))
    assert folds.count == count and folds.note.startswith(words)
    if images.task.exclusive:
        targets = images.targets()
        for fold in range(count):
            assert set(targets[folds.training(0, fold)]) == set(targets)


@pytest.mark.parametrize("labels", [[0] * 9 + [1] * 5, [(0,), (0, 1), (1,), (), (1,)]])
def test_a_class_that_is_just_large_enough_is_no_reason_for_a_note(labels):
    _, folds = drawn(images_of(labels))
    assert folds.count == 5 and not folds.note


def test_only_given_validation_images_become_training_images():
    given = images_of([0] * 4, None, ["train", "val", "test", ""])
    before = given.table["split"].to_numpy()
    expected = np.where(before == "val", "train", before)
    assert sorted(before) == ["", "test", "train", "val"]
    assert merge_validation(given).table["split"].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("labels", "groups", "words"),
    [
        ([0] * 9 + [1], None, "class 'b' has 1 image to draw folds from. Expected two or more"),
        ([0] * 9 + [1] * 4, [""] * 9 + ["p"] * 4, "class 'b' has 4 images in 1 group to draw"),
        ([(0,)], None, "got 1 images in 1 groups. Expected two groups or more"),
    ],
)
def test_a_class_that_cannot_be_trained_and_held_out_is_refused(labels, groups, words):
    with pytest.raises(SplitError, match=words):
        drawn(images_of(labels, groups))


@pytest.mark.parametrize("name", SETS)
def test_validation_images_of_a_fold_are_its_own(name):
    labels, groups = SETS[name]
    images, folds = drawn(images_of(labels, groups))
    draw = {"seed": 0, "repeat": 1, "fold": 2}
    rows = folds.training(1, 2)
    train, val = draw_validation(images, rows, 0.2, **draw)
    assert sorted([*train, *val]) == sorted(rows) and len(val)
    assert abs(len(val) - 0.2 * len(rows)) <= 9
    own = images.table["group"].to_numpy()
    assert not (set(own[train]) & set(own[val])) - {""}
    if images.task.exclusive:
        assert set(images.targets()[train]) == set(images.targets())
    again = draw_validation(images, rows[::-1], 0.2, **draw)
    assert all(np.array_equal(a, b) for a, b in zip(again, (train, val), strict=True))


def test_two_groups_are_enough_for_two_folds():
    images, folds = drawn(images_of([(0,), (0, 1), (1,)], ["p", "p", "q"]))
    assert folds.count == folds.groups == 2 and "2 groups" in folds.note
    assert folds.held_out(0, 0).tolist() in ([0, 1], [2])


def test_what_a_run_would_refuse_is_said_before():
    assert find_refusals(images_of([0, 1] * 5)) == find_refusals(images_of([0, 1] * 2)) == []
    (said,) = find_refusals(images_of([0] * 9 + [1]))
    assert said.startswith("A run would refuse these images: class 'b' has 1 image")


@pytest.mark.parametrize("wanted", [2, 5, 6])
def test_as_many_folds_as_wanted_where_there_are_as_many_groups(wanted):
    labels = [0] * 6 + [1] * 12
    for own in (labels, [(label,) for label in labels[6:]]):
        _, folds = drawn(images_of(own), folds=wanted)
        assert folds.count == wanted and not folds.note
        assert set(folds.numbers[0]) == set(range(wanted))


@pytest.mark.parametrize("seed", range(10))
def test_no_validation_takes_the_only_group_of_a_class(seed):
    labels = [0] * 20 + [1] * 4
    images = images_of(labels, [""] * 20 + ["g"] * 4)
    draw = {"seed": seed, "repeat": 0, "fold": 0}
    train, val = draw_validation(images, np.arange(24), 0.7, **draw)
    assert set(train[train >= 20]) == {20, 21, 22, 23} and sorted([*train, *val]) == [*range(24)]
    assert len(val) == 14
