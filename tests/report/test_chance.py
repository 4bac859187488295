"""Labels that say nothing give the accuracy of chance, and the interval knows it."""

from dataclasses import replace

import numpy as np
import pytest
from making.folders import make_stripes_and_dots

from gellib.config import RunConfig
from gellib.evaluation import wilson
from gellib.training_run import TrainingRun

pytestmark = pytest.mark.slow


def test_shuffled_labels_give_chance_and_true_ones_do_not(tmp_path):
    params = {
        "dataset_dir": str(make_stripes_and_dots(tmp_path / "images", train=30, test=20)),
        "image_size": 64,
        "num_epochs": 20,
        "evaluation": "holdout",
        "weights": "none",
        "augmentation": "none",
        "group_duplicates": False,
        "cache_dir": str(tmp_path / "cache"),
        "explain": False,
    }
    run = TrainingRun(RunConfig(**params, run_dir=str(tmp_path / "run")))
    run.load_images()
    run.load_backbone()
    images = run.images

    def metrics_of(images):
        run._loaded = replace(run.loaded, images=images)
        run.train()
        run.evaluate()
        return run.metrics

    test = metrics_of(images)["test"]
    assert test["intervals"]["accuracy"][0] > 0.5, "true labels are learnt"
    assert test["intervals"]["roc_auc"][0] > 0.5
    split, right, held = images.table["split"].to_numpy(), 0, 0
    for seed in range(6):
        labels = images.table["label"].to_numpy().copy()
        rng = np.random.default_rng(seed)
        for part in ("train", "val", "test"):
            labels[split == part] = rng.permutation(labels[split == part])
        metrics = metrics_of(replace(images, table=images.table.assign(label=labels)))
        assert metrics["train"]["accuracy"] > 0.6, "they are learnt by heart"
        right += round(metrics["test"]["accuracy"] * 40)
        intervals = metrics["test"]["intervals"]
        held += intervals["accuracy"][0] <= 0.5 <= intervals["accuracy"][1]
        held += intervals["roc_auc"][0] <= 0.5 <= intervals["roc_auc"][1]
        held += intervals["kappa"][0] <= 0 <= intervals["kappa"][1]
    low, high = wilson(right, 6 * 40)
    assert low <= 0.5 <= high
    assert held >= 15, "of 18 intervals, one or none is expected to miss"
