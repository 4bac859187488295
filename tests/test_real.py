"""Real images, where there are some: all are read, split, and told apart better than by chance."""

from __future__ import annotations

import pytest

from gellib.config import RunConfig
from gellib.data import find_unreadable, load_imageset
from gellib.data.images import read_image
from gellib.data.partition import partition, partition_table
from gellib.data.splits import split_imageset

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("folder", "classes", "positive"),
    [("gel", ("gel", "not_gel"), "gel"), ("brain_mri", ("no", "yes"), "yes")],
)
def test_every_image_is_read_and_split(real_data, folder, classes, positive):
    images = load_imageset(real_data / folder)
    assert images.classes == classes
    assert images.positive == positive
    assert find_unreadable(images) == []
    split = split_imageset(images, val_fraction=0.2, test_fraction=0.2, seed=0)
    counts = split.counts()
    assert (counts > 0).all(axis=None)
    assert counts.to_numpy().sum() == len(images)


@pytest.mark.slow
def test_brain_images_keep_to_their_partition(real_data, tmp_path):
    images, _ = partition(real_data / "brain_mri", val=0.1, test=0.1, out=tmp_path)
    assert partition_table(images).loc["images"].to_dict() == {
        "train": 203,
        "val": 25,
        "test": 25,
        "all": 253,
    }
    for part in ("val", "test"):
        assert images.counts()[part].to_dict() == {"no": 10, "yes": 15}
    # It has many images more than once, which a split by chance tears apart.
    grouped = images.table[images.table["group"] != ""]
    assert grouped["group"].nunique() > 30
    assert partition_table(images).loc["groups", "train"] > 20
    assert (grouped.groupby("group")["split"].nunique() == 1).all()
    again = split_imageset(load_imageset(tmp_path), seed=7)
    assert dict(zip(again.table["path"], again.table["split"], strict=True)) == (
        dict(zip(images.table["path"], images.table["split"], strict=True))
    )


def test_images_are_not_empty(real_data):
    for path in load_imageset(real_data / "gel").table["path"]:
        image = read_image(path)
        assert image.ndim == 2
        assert image.min() < image.max(), path


@pytest.mark.slow
def test_random_features_and_a_linear_head_beat_chance_on_gels(real_data, tmp_path):
    from gellib.training_run import TrainingRun

    config = RunConfig(
        dataset_dir=str(real_data / "gel"),
        weights="none",
        image_size=96,
        num_epochs=5,
        evaluation="holdout",
        augmentation="none",
        run_dir=str(tmp_path / "run"),
        cache_dir=str(tmp_path / "cache"),
    )
    run = TrainingRun(config)
    run.load_images()
    run.load_backbone()
    run.train()
    run.evaluate()
    assert run.metrics["test"]["accuracy"] > 0.6
