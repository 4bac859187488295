"""What simulated images beside a few real ones give, and several backbones' features together.

    python tests/benchmarks/extra_training.py FOLDER [--simulated N] [--others FOLDER...]

FOLDER has real gels and other images (`gel`, `not_gel`). A solved head is trained on a third of
them and predicts the other two thirds, in turn, with five draws of the thirds; near-duplicates stay
together. `extra 0` trains on these alone, `extra N` with N simulated images of each class beside
them, which are never tested, as with the parameter `extra_train_dir`.

`--others` are folders of real images without a gel: the columns named after them have the share, in
percent, that is falsely taken for gels by heads of the same thirds. They are nowhere trained on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from backbones_on_real import copy_solar_cells
from common import machine, table
from pretrained_on_real import groups_of
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from gellib.base.files import write_json
from gellib.config import RunConfig
from gellib.data import load_extra_training, load_imageset
from gellib.data.images import read_image
from gellib.data.imageset import ImageSet, make_imageset
from gellib.data.layouts.folders import find_images
from gellib.evaluation.task import SINGLE_LABEL
from gellib.labsim.simulate import write_gel
from gellib.models.backbones import build_backbone
from gellib.models.features import FeatureStore
from gellib.models.training.lbfgs import solve

NETWORKS = ("efficientnet-lite0", "resnet18", "resnet18+efficientnet-lite0")
THIRDS, REPEATS = 3, 5
CONFIG = RunConfig.check({"opt_alg": "lbfgs"})


def load_others(folder: Path) -> ImageSet:
    """List all images below a folder, whatever their classes are."""
    rows = [{"file": path.name, "path": str(path), "label": 0} for path in find_images(folder)]
    return make_imageset(folder, rows, ("other",), SINGLE_LABEL).with_digests()


def gel_margins(features: np.ndarray, weights: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """By how much the logit of the first class, `gel`, is above the other one (n,)."""
    logits = features @ weights.T + biases
    return logits[:, 0] - logits[:, 1]


def measure(
    network: str,
    sets: dict[str, ImageSet],
    groups: np.ndarray,
    counts: list[int],
    store: FeatureStore,
) -> list[dict[str, object]]:
    """Measure one network; one row per number of further images.

    Parameters
    ----------
    network
        Its name.
    sets
        The `real` and the `extra` images, and those without a gel by their names.
    groups
        (n,) number of the group of each real image.
    counts
        How many further images of each class.
    store
        Store of features.
    """
    backbone = build_backbone(network, weights="auto")
    features = {
        name: np.array(store.unaugmented(images, backbone), np.float64)
        for name, images in sets.items()
    }
    real, labels, extra = features["real"], sets["real"].targets(), sets["extra"].targets()
    rows = []
    for count in counts:
        more = np.concatenate([np.flatnonzero(extra == label)[:count] for label in (0, 1)])
        margins = np.full((REPEATS, len(real)), np.nan)
        taken: dict[str, list[float]] = {name: [] for name in sets if name not in ("real", "extra")}
        for repeat in range(REPEATS):
            folds = StratifiedGroupKFold(THIRDS, shuffle=True, random_state=repeat)
            total, seen = np.zeros(len(real)), np.zeros(len(real))
            for test, train in folds.split(real, labels, groups):  # the smaller part trains
                x = np.concatenate([real[train], features["extra"][more]])
                head = solve(CONFIG, x, np.append(labels[train], extra[more]), 2)
                total[test] += gel_margins(real[test], *head)
                seen[test] += 1
                for name, shares in taken.items():
                    shares.append(100 * float((gel_margins(features[name], *head) > 0).mean()))
            margins[repeat] = total / seen
        is_gel = labels == 0
        rows.append(
            {
                "network": f"{network} ({backbone.weights.name})",
                "extra": count,
                "accuracy, %": 100 * float(((margins > 0) == is_gel).mean()),
                "gels found, %": 100 * float((margins > 0)[:, is_gel].mean()),
                "ROC AUC": float(np.mean([roc_auc_score(is_gel, own) for own in margins])),
                **{f"{name}, %": float(np.mean(shares)) for name, shares in taken.items()},
            }
        )
    return rows


def main() -> None:
    """Print one row per network and number of further images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--simulated", type=int, default=200, help="of each class")
    parser.add_argument("--others", nargs="*", type=Path, default=[])
    parser.add_argument("--solar-cells", type=int, default=0, help="as in backbones_on_real.py")
    parser.add_argument("--cache", type=Path, default=Path("runs/.cache"))
    parser.add_argument("--out", type=Path, help="file for the figures, JSON")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_gel(root / "simulated", train=args.simulated, test=0)
        real = load_imageset(args.folder).with_digests()
        extra = load_extra_training(real, root / "simulated").with_digests()
        sets = {"real": real, "extra": extra}
        sets |= {folder.name: load_others(folder) for folder in args.others}
        if args.solar_cells:
            sets["solar_cells"] = load_others(copy_solar_cells(root / "cells", args.solar_cells))
        groups = groups_of([read_image(path) for path in real.table["path"]])
        counts = [0, args.simulated // 4, args.simulated]
        rows = [
            row
            for network in args.networks
            for row in measure(network, sets, groups, counts, FeatureStore(args.cache))
        ]
    print({name: len(images) for name, images in sets.items()})
    print(table(rows))
    if args.out:
        write_json(args.out, {"rows": rows, "machine": machine()})


if __name__ == "__main__":
    main()
