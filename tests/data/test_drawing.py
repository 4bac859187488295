"""Groups that are drawn: shares of each class, none missing, and the same for the same seed."""

import numpy as np
import pytest
from making.folders import list_counted

from gellib.data.drawing import _targets, assign_folds, draw_rows, group_rows
from gellib.data.folds import draw_folds, draw_validation, pool_images
from gellib.data.splits import split_imageset

# Of every size from 1 to 7, over both classes, beside images without a group.
SIZES = [7, 6, 5, 5, 4, 3, 3, 2, 2, 2, 2]
GROUPS = [f"g{k}" for k, size in enumerate(SIZES) for _ in range(size)]
GROUPS += [""] * (60 - len(GROUPS))
LETTERS = {"train": "-", "val": "v", "test": "T"}
# Whoever repeats a run of last year with its seed gets its images.
KNOWN = {
    "stratified": "-------TTTTTT-----vvvvv------------TT--vvTv-T-T-v-----------",
    "random": "-------TTTTTTvvvvv---------------vv--TT--Tv-T-T------v--v-T-",
    "mask": "-------------TTTTTTTTTTvvvvTTT-------vvTT--vv--v---T-TT---v-",
    "kfold": "------------------vvvvvTTTTTTT-----TTvv---------Tv-T-v-----T",
}
KNOWN_FOLDS = [
    "000000011111144444222223333333444222233112300423004414013142",
    "000000033333344444111112222111222444433223411042103302120014",
]
KNOWN_VALIDATION = "-------hhhhhh----------vvvv------vv--hhvvh----v--vhh--------"


@pytest.mark.parametrize("method", KNOWN)
def test_a_known_draw_of_groups_stays_what_it_is(method):
    split = split_imageset(list_counted(35, 25, groups=GROUPS), method=method, seed=4, fold=1)
    assert "".join(LETTERS[part] for part in split.table.split) == KNOWN[method]


def test_known_folds_stay_what_they_are():
    pooled = pool_images(list_counted(35, 25, groups=GROUPS))
    folds = draw_folds(pooled, folds=5, repeats=2, seed=2)
    assert ["".join(map(str, own)) for own in folds.numbers] == KNOWN_FOLDS
    train, val = draw_validation(pooled, folds.training(1, 3), 0.2, seed=2, repeat=1, fold=3)
    own = np.full(60, "h")
    own[train], own[val] = "-", "v"
    assert "".join(own) == KNOWN_VALIDATION


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([50, 100], 0.2, [10, 20]),
        ([46, 46], 0.2, [9, 9]),
        ([3, 4, 4], 0.25, [1, 1, 1]),
        ([11, 12, 13], 0.25, [3, 3, 3]),  # 9 in all: the largest remainder, 0.75, goes up
        ([13, 12, 11], 0.25, [3, 3, 3]),
        ([100, 1, 2], 0.1, [10, 0, 1]),  # one stays for the other parts
        ([100, 0, 2], 0.9, [90, 0, 1]),
        ([5, 5], 0.99, [4, 4]),
    ],
)
def test_targets_add_up_and_leave_something_to_each_part(counts, share, expected):
    assert _targets(np.array(counts), share).tolist() == expected


def test_groups_of_rows():
    assert group_rows(["a", "", "b", "a", "", "b"]) == [[0, 3], [1], [2, 5], [4]]


@pytest.mark.parametrize("seed", range(10))
def test_a_rare_label_gets_its_share_beside_a_common_one(seed):
    """Each image has the common label; a tenth have the rare one too."""
    members = np.zeros((200, 2), int)
    members[:, 0] = 1
    members[::10, 1] = 1
    units = group_rows([""] * 200)
    drawn = draw_rows(members, units, 0.2, np.random.default_rng(seed))
    assert len(set(drawn)) == len(drawn) and 38 <= len(drawn) <= 42
    assert members[drawn, 1].sum() == 4
    numbers = assign_folds(members, units, 5, np.random.default_rng(seed))
    assert np.ptp(np.bincount(numbers)) <= 2
    assert np.bincount(numbers, weights=members[:, 1]).tolist() == [4] * 5


@pytest.mark.parametrize("seed", range(10))
def test_the_smallest_group_of_a_class_is_drawn_where_none_fits(seed):
    """Two classes of groups alone: 12, 9 and 5 images, of which 2 are wanted."""
    sizes = [12, 9, 5, 12, 9, 5]
    groups = [f"{k}" for k, size in enumerate(sizes) for _ in range(size)]
    members = np.zeros((len(groups), 2), int)
    members[:26, 0] = members[26:, 1] = 1
    drawn = draw_rows(members, group_rows(groups), 0.08, np.random.default_rng(seed))
    of_class = [sorted({groups[row] for row in drawn if members[row, c]}) for c in (0, 1)]
    assert of_class == [["2"], ["5"]]
    assert sorted(drawn) == [*range(21, 26), *range(47, 52)]
    # The only group of a class stays for training.
    alone = draw_rows(members[:26], group_rows(["x"] * 26), 0.2, np.random.default_rng(seed))
    assert alone == []


def test_folds_of_groups_are_about_equally_large():
    rng = np.random.default_rng(0)
    for seed in range(20):
        sizes = rng.integers(1, 6, 60)
        groups = [f"{k}" for k, size in enumerate(sizes) for _ in range(size)]
        members = np.eye(3, dtype=int)[rng.integers(0, 3, len(groups))]
        numbers = assign_folds(members, group_rows(groups), 4, np.random.default_rng(seed))
        counts = np.bincount(numbers)
        assert counts.max() - counts.min() <= 3
        for c in range(3):
            own = np.bincount(numbers[members[:, c] == 1], minlength=4)
            assert own.max() - own.min() <= 5
