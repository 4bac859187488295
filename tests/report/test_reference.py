"""Baselines are scored on the images of each run, in whatever order the runs come."""

import itertools

import pytest
from making.folders import make_gels
from making.sweeps import make_run

from gellib.config import FACTS
from gellib.report.baselines import MAJORITY
from gellib.report.comparison.reference import score_baselines
from gellib.runs import RunFolder, read_sweep_predictions

# Another value than the default of every parameter that decides on images or their split, and of
# the colours, on which the statistics of images depend.
CHANGES = {
    "dataset_dir": "other",
    "test_dir": "other",
    "extra_train_dir": "other",
    "max_images": 12,
    "max_image_mb": 0.5,
    "max_image_mpx": 0.5,
    "skip_bad_images": True,
    "split": "random",
    "folds": 4,
    "fold": 1,
    "group_duplicates": False,
    "val_fraction": 0.4,
    "test_fraction": 0.4,
    "evaluation": "holdout",
    "cv_folds": 3,
    "cv_repeats": 2,
    "group_families": False,
    "seed": 3,
    "color": "rgb",
}
DECISIVE = [name for name, facts in FACTS.items() if facts.stage in ("data", "split")]


@pytest.mark.parametrize("name", [*DECISIVE, "color"])
@pytest.mark.slow
def test_the_order_of_a_grid_changes_no_baseline(tmp_path, name):
    """Of two runs of other images each is held against its own, whichever comes first."""
    images = make_gels(tmp_path / "data", {"train": 4, "val": 3, "test": 6})
    few = images.drop(images[(images["split"] == "test") & (images["label"] == 1)].index[:4])
    base = {"dataset_dir": str(tmp_path / "data")}
    for number, (table, value) in enumerate(((images, {}), (few, {name: CHANGES[name]}))):
        params = {**base, "model_id": number + 1, **value}
        run = make_run(tmp_path / f"run{number}", table, params, root=tmp_path / "data", accuracy=1)
        record = run.read_record()
        assert record.test["n"] == len(table[table["split"] == "test"])
    found = []
    for order in itertools.permutations(("run0", "run1")):
        records = [
            RunFolder(tmp_path / run).read_record().model_copy(update={"name": run})
            for run in order
        ]
        (tmp_path / "baselines.json").unlink(missing_ok=True)
        found.append(
            score_baselines(tmp_path, records, read_sweep_predictions(tmp_path, records)).means
        )
    assert found[0] == found[1]
    # Six of twelve, and six of eight: both runs count.
    assert found[0][MAJORITY] == pytest.approx((6 + 6) / (12 + 8))
