"""Small sweeps that were really trained, of the kinds that there are, without notebooks."""

from __future__ import annotations

from pathlib import Path

from gellib.config import RunConfig
from gellib.runs import SweepFolder
from gellib.training_run import TrainingRun
from making.folders import make_multilabel, make_stripes_and_dots
from making.sweeps import write_sweep

_NAMES = ("bright", "lines", "spot")
_COMMON = {
    "image_size": 32,
    "weights": "none",
    "augmentation": "none",
    "batch_size": 8,
    "num_epochs": 4,
    "learning_rate": 0.01,
    "cv_folds": 4,
    "cv_repeats": 3,
}
_TUNED = {
    "trainable": "last:2",
    "unfreeze_epoch": 2,
    "unfreeze_learning_rate": 0.002,
    "patience": 3,
    "augmentation": "random_resized_crop rotation(15)",
}
# By kind: the images, and the runs that differ in something.
KINDS = {
    "cv": ("groups", [{"opt_alg": "lbfgs"}, {"opt_alg": "lbfgs", "lbfgs_c": 0.2}]),
    "cv_given_test": (
        "given",
        [
            {
                "classifier_head": "multi",
                "augmentation": "horizontal_flip color_jitter",
                "views": 2,
                "imbalance": "focal",
                "patience": 3,
                "schedule": "cosine",
                "evaluation": "cv",
            }
        ],
    ),
    "holdout_seeds": (
        "groups",
        [
            {**_TUNED, "model_id": k, "seed": seed, "opt_alg": opt, "weight_decay": 0.03}
            for k, opt in ((1, "adamw"), (2, "sgd"))
            for seed in (0, 1)
        ],
    ),
    "kfold": ("groups", [{"split": "kfold", "folds": 3, "fold": 1, "trainable": "all"}]),
    "multilabel_cv": ("labels", [{"opt_alg": "lbfgs"}]),
    "multilabel_holdout": (
        "labels",
        [{"evaluation": "holdout", "classifier_head": "attention", "imbalance": "sampler"}],
    ),
}


def make_images(kind: str, folder: Path) -> Path:
    """Write images with duplicates in them, with a given test part, or with several labels."""
    images = folder / kind
    if images.is_dir():
        return images
    if kind == "labels":
        make_multilabel(images, n=40)
        table = images / "labels.csv"
        lines = table.read_text().splitlines()
        named = []
        for line in lines[1:]:
            number, file, labels = line.split(",")
            words = " ".join(_NAMES[int(label)] for label in labels.split())
            named.append(f"{number},{file},{words}")
        table.write_text("\n".join([lines[0], *named]))
        return images
    if kind == "given":
        return make_stripes_and_dots(images, train=14, test=6)
    made = make_stripes_and_dots(folder / "drawn", train=22, test=1) / "train"
    made.rename(images)
    for name in ("dots", "stripes"):
        for i in range(3):
            copy = (images / name / f"{i:02d}.png").read_bytes()
            (images / name / f"{i:02d} copy.png").write_bytes(copy)
    return images


def make_trained_sweep(kind: str, folder: Path) -> SweepFolder:
    """Train the runs of a kind into `folder/<kind>-sweep`."""
    of, runs = KINDS[kind]
    images, sweep = make_images(of, folder), folder / f"{kind}-sweep"
    names = []
    for number, changes in enumerate(runs, start=1):
        name = f"{number:02d}"
        names.append(name)
        run = TrainingRun(
            RunConfig.check(
                {
                    **_COMMON,
                    "dataset_dir": str(images),
                    "run_dir": str(sweep / name),
                    "cache_dir": str(folder / "cache"),
                    "model_id": number,
                    **changes,
                }
            )
        )
        run.load_images()
        run.load_backbone()
        run.train()
        run.evaluate()
        run.finish()
    return write_sweep(sweep, names, purpose="Which is best?", margin=0.07)
