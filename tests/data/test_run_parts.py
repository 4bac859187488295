"""The parts of a run are those that its parameters name."""

import numpy as np
import pytest
from making.folders import list_counted

from gellib.config import RunConfig
from gellib.data.folds import draw_folds, pool_images
from gellib.data.run_parts import draw_folds_for_run, split_for_run
from gellib.data.splits import SplitError, split_imageset

GROUPS = [f"g{i // 3}" for i in range(90)]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"seed": 3, "val_fraction": 0.3, "test_fraction": 0.1},
        {"split": "random", "seed": 5},
        {"split": "kfold", "folds": 4, "fold": 2, "seed": 1},
    ],
)
def test_a_holdout_is_split_by_its_parameters(params):
    images = list_counted(50, 40, groups=GROUPS)
    config = RunConfig.check({"evaluation": "holdout", **params})
    words = {"method": "stratified", **params}
    words["method"] = words.pop("split", words["method"])
    expected = split_imageset(images, **words)
    assert split_for_run(config, images).table.equals(expected.table)


def test_a_cross_validation_has_the_folds_of_its_parameters():
    images = list_counted(50, 40, groups=GROUPS)
    config = RunConfig.check({"evaluation": "cv", "cv_folds": 4, "cv_repeats": 2, "seed": 7})
    pooled = split_for_run(config, images)
    assert pooled.table.equals(pool_images(images).table) and set(pooled.table.split) == {"cv"}
    expected = draw_folds(pooled, folds=4, repeats=2, seed=7)
    assert np.array_equal(draw_folds_for_run(config, pooled).numbers, expected.numbers)
    with pytest.raises(SplitError, match="class 'b' has 1 image"):
        split_for_run(config, list_counted(50, 1))
