"""Parts that are drawn: sizes, seeds, groups, and what is refused."""

import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from making.folders import list_counted

from gellib.data.imageset import make_imageset
from gellib.data.splits import METHODS, SplitError, split_imageset
from gellib.evaluation import MULTILABEL


def parts(imageset):
    return dict(zip(imageset.table.file, imageset.table.split, strict=True))


def counts(imageset):
    return imageset.counts()[["train", "val", "test"]].values.tolist()


def refusal(imageset, **options):
    with pytest.raises(SplitError) as caught:
        split_imageset(imageset, **options)
    return str(caught.value)


def test_stratified_shares():
    split = split_imageset(list_counted(50, 100))
    assert counts(split) == [[32, 8, 10], [64, 16, 20]]
    assert counts(split_imageset(list_counted(50, 100), val_fraction=0.5, test_fraction=0.1)) == [
        [22, 23, 5],
        [45, 45, 10],
    ]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_given_is_what_the_parameters_say(method):
    images = list_counted(50, 100)
    own = {"val_fraction": 0.2, "test_fraction": 0.2, "seed": 0, "folds": 5, "fold": 0}
    assert parts(split_imageset(images, method=method)) == parts(
        split_imageset(images, method=method, **own)
    )
    assert parts(split_imageset(images)) == parts(split_imageset(images, method="stratified"))


def test_totals_are_right_with_odd_counts():
    split = split_imageset(list_counted(46, 46))
    assert [sum(column) for column in zip(*counts(split), strict=True)] == [59, 15, 18]
    assert counts(split_imageset(list_counted(3, 3))) == [[1, 1, 1], [1, 1, 1]]


def test_random_shares():
    split = split_imageset(list_counted(50, 100), method="random", seed=1)
    assert split.table.split.value_counts().to_dict() == {"train": 96, "test": 30, "val": 24}
    seeds = [split_imageset(list_counted(50, 100), method="random", seed=seed) for seed in range(9)]
    assert len({tuple(counts(split)[0]) for split in seeds}) > 1  # not stratified


@pytest.mark.parametrize("method", METHODS)
def test_seeds(method):
    images = list_counted(40, 60)
    first = parts(split_imageset(images, method=method, seed=1))
    assert first == parts(split_imageset(images, method=method, seed=1))
    assert first != parts(split_imageset(images, method=method, seed=2))


def test_a_known_draw_stays_what_it_is():
    split = split_imageset(list_counted(6, 6), seed=0)
    held = {file: part for file, part in parts(split).items() if part != "train"}
    assert held == KNOWN


KNOWN = {"0/000.png": "test", "0/003.png": "val", "1/007.png": "test", "1/010.png": "val"}


@pytest.mark.parametrize("method", ["stratified", "random"])
def test_row_order_does_not_matter(method):
    groups = [f"g{i % 30}" if i % 3 else "" for i in range(100)]
    images = list_counted(40, 60, groups=groups)
    mixed = replace(images, table=images.table.sample(frac=1, random_state=5))
    expected = split_imageset(images, method=method)
    result = split_imageset(mixed, method=method)
    assert parts(result) == parts(expected)
    assert list(result.table.file) == list(mixed.table.file)


def test_nothing_else_changes():
    images = list_counted(10, 10)
    split = split_imageset(images)
    assert set(images.table.split) == {""}
    assert split.table.drop(columns="split").equals(images.table.drop(columns="split"))
    assert (split.classes, split.task, split.root) == (images.classes, images.task, images.root)


def test_given_parts_are_kept():
    given = (["train"] * 8 + ["test"] * 2) * 2
    split = split_imageset(list_counted(10, 10, splits=given))
    assert [p == "test" for p in split.table.split] == [p == "test" for p in given]
    assert counts(split) == [[6, 2, 2], [7, 1, 2]]
    given = (["train"] * 5 + ["val"] * 3 + ["test"] * 2) * 2
    assert list(split_imageset(list_counted(10, 10, splits=given)).table.split) == given
    given = (["train"] * 7 + ["val"] * 3) * 2
    split = split_imageset(list_counted(10, 10, splits=given))
    assert [p == "val" for p in split.table.split] == [p == "val" for p in given]
    assert sum(column[2] for column in counts(split)) == 3


def test_validation_does_not_depend_on_how_the_test_part_came_about():
    drawn = split_imageset(list_counted(20, 20), seed=3)
    given = [part if part == "test" else "train" for part in drawn.table.split]
    again = split_imageset(list_counted(20, 20, splits=given), seed=3)
    assert parts(again) == parts(drawn)


@pytest.mark.parametrize("method", ["stratified", "random", "kfold"])
@pytest.mark.parametrize("seed", range(5))
def test_groups_are_not_separated(method, seed):
    groups = [f"patient {i // 4}" for i in range(120)]
    split = split_imageset(list_counted(60, 60, groups=groups), method=method, seed=seed)
    assert (split.table.groupby("group").split.nunique() == 1).all()
    sizes = split.table.split.value_counts()
    assert abs(sizes["test"] - 24) <= 4
    assert abs(sizes["val"] - 19) <= 4


def test_groups_over_classes_and_of_uneven_size():
    groups = ["big"] * 10 + [f"g{i}" for i in range(50)] + [""] * 40
    images = list_counted(60, 40, groups=groups)
    split = split_imageset(images)
    assert (split.table[split.table.group != ""].groupby("group").split.nunique() == 1).all()
    assert [row[2] for row in counts(split)] == [12, 8]


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 5])
def test_no_part_gets_all_groups(size):
    # A quarter of the images hang together, as duplicates do; each part holds its share of them.
    groups = [f"g{i // size}" if i < 100 else "" for i in range(400)]
    images = list_counted(
        200, 200, groups=groups[:50] + groups[100:250] + groups[50:100] + groups[250:]
    )
    shares = {"train": [], "val": [], "test": []}
    for seed in range(20):
        split = split_imageset(images, seed=seed)
        assert counts(split) == [[128, 32, 40], [128, 32, 40]]
        grouped = split.table[split.table.group != ""]
        assert (grouped.groupby("group").split.nunique() == 1).all()
        for part, held in shares.items():
            held.append((grouped.split == part).sum())
    for part, wanted in (("train", 64), ("val", 16), ("test", 20)):
        assert abs(pd.Series(shares[part]).mean() - wanted) < 0.15 * wanted, part


def test_a_class_of_few_large_groups_is_in_each_part():
    groups = [""] * 20 + [f"g{i // 4}" for i in range(12)]
    split = split_imageset(list_counted(20, 12, groups=groups), val_fraction=0.1, test_fraction=0.1)
    assert counts(split)[1] == [4, 4, 4]
    groups = [""] * 20 + ["a"] * 6 + ["b"] * 6
    assert "would have no images for val" in refusal(list_counted(20, 12, groups=groups))


def test_the_largest_group_is_in_any_part():
    groups = ["large"] * 12 + [f"g{i // 4}" for i in range(88)]
    images = list_counted(50, 50, groups=groups)
    parts = {
        split_imageset(images, seed=seed).table.set_index("group").split["large"].iloc[0]
        for seed in range(40)
    }
    assert parts == {"train", "val", "test"}


def test_images_join_their_group():
    given = ["test", "", "train", ""] + [""] * 16
    groups = ["p", "p", "q", "q"] + [""] * 16
    split = split_imageset(
        list_counted(10, 10, splits=given[:10] + ["test"] + given[11:], groups=groups)
    )
    assert list(split.table.split[:2]) == ["test", "test"]
    assert split.table.split[2] == split.table.split[3]


def test_several_labels():
    images = list_counted(40, 40, 20)
    label = [(i % 3, 3) if i % 4 == 0 else (i % 3,) if i % 10 else () for i in range(100)]
    images = replace(
        images, table=images.table.assign(label=pd.Series(label)), classes=tuple("abcd")
    )
    split = split_imageset(replace(images, task=MULTILABEL))
    wanted = split.counts().sum(axis=1) * 0.2
    assert (split.counts()["test"] - wanted).abs().max() <= 2


def test_rare_label_beside_a_common_one():
    images = list_counted(56, 4)
    label = [(0,)] * 54 + [(0, 1)] * 6
    images = replace(images, table=images.table.assign(label=pd.Series(label)), task=MULTILABEL)
    for seed in range(10):
        assert all(part >= 1 for part in counts(split_imageset(images, seed=seed))[1])


def test_groups_separated_by_the_given_split():
    images = list_counted(2, 2, splits=["train", "test"] * 2, groups=["p 1", "p 1", "x", ""])
    assert refusal(images) == (
        "groups are separated by the given split: 'p 1' is in test and train (1 such groups). "
        "Expected each group in one split. Correct the split or group column."
    )


def test_class_too_small():
    assert refusal(list_counted(20, 2, names=("gel", "not {gel}"))) == (
        "class 'not {gel}' would have no images for val (2 in all, 3 images of all classes there). "
        "Expected one or more in each of train, val and test. "
        "Add images of it, or remove the class."
    )


def test_class_missing_by_chance():
    message = refusal(list_counted(100, 3), method="random", seed=0)
    assert message.startswith("class 'b' would have no images for ")
    assert message.endswith("or use split: stratified, or another seed.")


def test_a_rare_label_may_be_missing_where_nothing_is_learnt():
    labels = [(0,)] * 60 + [(0, 1)] * 2 + [(1,)] * 2
    rows = [{"file": f"{i:02d}.png", "label": label} for i, label in enumerate(labels)]
    images = make_imageset(Path("x"), rows, ("common", "rare"), MULTILABEL)
    seen = 0
    for seed in range(6):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            split = split_imageset(images, method="mask", val_fraction=0.1, seed=seed)
        for part in ("val", "test"):
            has = any(1 in label for label in split.table["label"][split.table["split"] == part])
            said = any(f"{part} has no image of 'rare'" in str(w.message) for w in caught)
            assert has != said
            seen += said
    assert seen
    only = replace(images, table=images.table.assign(split=["train"] * 60 + ["val", "test"] * 2))
    assert "class 'rare' would have no images for train" in refusal(only)


def test_no_training_images():
    given = (["val"] * 5 + ["test"] * 5) * 2
    assert "would have no images for train (10 in all, 0 images" in refusal(
        list_counted(10, 10, splits=given)
    )


@pytest.mark.slow
def test_mask_draws_each_image_by_itself():
    splits = [
        split_imageset(list_counted(300, 300), method="mask", seed=seed) for seed in range(30)
    ]
    tests = [(split.table.split == "test").sum() for split in splits]
    # Binomial: 120 on average, a standard deviation of 9.8; drawn shares would all be 120.
    assert abs(sum(tests) / 30 - 120) < 6
    assert 5 < pd.Series(tests).std() < 15
    vals = [(split.table.split == "val").sum() for split in splits]
    assert abs(sum(vals) / 30 - 96) < 6
    shares = {tuple(counts(split)[0]) for split in splits}
    assert len(shares) > 20


def test_mask_draws_each_group_as_one():
    groups = [f"patient {i // 4}" for i in range(200)]
    split = split_imageset(list_counted(100, 100, groups=groups), method="mask", seed=1)
    assert (split.table.groupby("group").split.nunique() == 1).all()


@pytest.mark.parametrize("groups", [None, [f"patient {i // 3}" for i in range(120)]])
def test_each_image_is_in_the_test_part_of_one_fold(groups):
    images = list_counted(90, 30, groups=groups)
    tested = []
    for fold in range(4):
        split = split_imageset(images, method="kfold", folds=4, fold=fold, seed=2)
        for row, whole in zip(counts(split), (90, 30), strict=True):
            assert abs(row[2] - whole / 4) <= (1 if groups is None else 3)
            assert abs(row[1] - (whole - row[2]) / 5) <= (1 if groups is None else 3)
        tested += list(split.table.file[split.table.split == "test"])
        if groups:
            assert (split.table.groupby("group").split.nunique() == 1).all()
    assert sorted(tested) == sorted(images.table.file)


@pytest.mark.slow
def test_folds_of_several_labels_are_even():
    images = list_counted(200, 200, 100)
    label = [(i % 3, 3) if i % 5 == 0 else (i % 3,) for i in range(500)]
    images = replace(
        images, table=images.table.assign(label=pd.Series(label)), classes=tuple("abcd")
    )
    images = replace(images, task=MULTILABEL)
    held = [
        split_imageset(images, method="kfold", folds=10, fold=fold).counts()["test"]
        for fold in range(10)
    ]
    spread = pd.DataFrame(held).max() - pd.DataFrame(held).min()
    assert spread.max() <= 2


def test_folds_do_not_depend_on_the_order_of_the_rows():
    images = list_counted(20, 20)
    shuffled = images.table.sample(frac=1, random_state=0).reset_index(drop=True)
    first = parts(split_imageset(images, method="kfold"))
    assert first == parts(split_imageset(replace(images, table=shuffled), method="kfold"))


def test_folds_of_a_set_that_gives_a_test_part():
    message = refusal(list_counted(5, 5, splits=(["train"] * 4 + ["test"]) * 2), method="kfold")
    assert message.startswith("split: got 'kfold', but ")
    assert "gives a split test. Expected images without given splits" in message
    only_train = list_counted(10, 10, splits=["train"] * 20)
    assert [row[2] for row in counts(split_imageset(only_train, method="kfold"))] == [2, 2]


def test_class_smaller_than_the_folds():
    message = refusal(list_counted(50, 3), method="kfold", folds=10, fold=9, seed=1)
    assert message.startswith("class 'b' would have no images for ")
    assert message.endswith("or use fewer folds.")
    groups = [f"g{i}" for i in range(50)] + ["one"] * 6
    message = refusal(list_counted(50, 6, groups=groups))
    assert "(6 of 1 groups in all" in message


def test_wrong_options():
    assert refusal(list_counted(9, 9), method="k-fold") == (
        "split: got 'k-fold'. Expected one of stratified, random, mask, kfold."
    )
    assert refusal(list_counted(9, 9), method="kfold", folds=3, fold=3) == (
        "fold: got 3 of 3 folds. Expected two folds or more, counted from 0."
    )
    assert refusal(list_counted(9, 9), val_fraction=1.0) == (
        "val_fraction: got 1.0. Expected a number between 0 and 1."
    )
