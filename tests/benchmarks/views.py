"""How many random views of each image a frozen network has to see: accuracy by `views`.

    python tests/benchmarks/views.py FOLDER [--networks resnet18 ...] [--images N] [--image-size PX]

FOLDER has a folder per class. For each network and number of views, a single head is trained as a
run trains it (adam, 20 epochs, the augmentation of the reference) in five folds, with five seeds.
The folds are stratified, and near-duplicates stay in the same fold. Views and folds are the same
for all numbers of views, and the unaugmented images are tested. `0` is a new view in every epoch;
`none` is without augmentation.

The last columns compare with `0`: the difference in percentage points, its standard error over the
images (each image counts once: the mean over the seeds), and the forward passes per image.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from common import REFERENCE_STEPS, table
from pretrained_on_real import groups_of
from sklearn.model_selection import StratifiedGroupKFold

from gellib.config import RunConfig
from gellib.data import load_imageset
from gellib.data.images import read_image
from gellib.data.imageset import ImageSet
from gellib.models.backbones import build_backbone
from gellib.models.features import FeatureStore
from gellib.models.heads import build_head
from gellib.models.training import head_probabilities
from gellib.models.training.inputs import CachedInputs
from gellib.models.training.objective import encode_labels
from gellib.models.training.optimise import make_optimizer
from gellib.models.training.sampling import cut_batches, draw_order

EPOCHS = 20
FOLDS = 5
SEEDS = 5
VIEWS = ("none", "1", "2", "5", "0")  # the last one is what the others are compared with


def some_of_each_class(images: ImageSet, count: int) -> ImageSet:
    """Take about `count` images, as many of each class as there are in the smallest share."""
    labels = images.table["label"].to_numpy()
    each = count // len(images.classes)
    rows = [np.flatnonzero(labels == label)[:each] for label in range(len(images.classes))]
    return images.take(np.sort(np.concatenate(rows)).tolist())


def train_head(
    features: np.ndarray,
    tests: np.ndarray,
    targets: np.ndarray,
    fold: tuple[np.ndarray, np.ndarray],
    seed: int,
) -> np.ndarray:
    """Train a head on the training images of a fold; return which test images it gets right.

    Parameters
    ----------
    features
        (views, images, dim), of which epoch e uses `(e - 1) % views`.
    tests
        (images, dim), of the unaugmented images.
    targets
        (images,) class numbers.
    fold
        Rows of the training and of the test images.
    seed
        Of initial weights and order.
    """
    train, test = fold
    config = RunConfig.check({"seed": seed, "num_epochs": EPOCHS})
    head = build_head("single", features.shape[-1], int(targets.max()) + 1, seed=seed)
    optimizer = make_optimizer(config, [{"params": list(head.parameters()), "lr": 0.001}])
    inputs = CachedInputs(features[:, train], tests[test])
    labels = torch.from_numpy(targets[train])
    head.train()
    for epoch in range(1, EPOCHS + 1):
        order = draw_order(len(train), seed, epoch, None)
        for positions in cut_batches(order, config.batch_size):
            logits = head(inputs.train_batch(epoch, positions))
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits, labels[positions]).backward()
            optimizer.step()
    return head_probabilities(head, tests[test]).argmax(1) == targets[test]


def measure(
    images: ImageSet, network: str, store: FeatureStore, image_size: int
) -> list[dict[str, object]]:
    """Measure one network; one row per number of views."""
    backbone = build_backbone(network, weights="auto", image_size=image_size)
    tests = np.array(store.unaugmented(images, backbone))
    rows = np.arange(len(images))
    options = {"augmentation": REFERENCE_STEPS, "seed": 0, "epochs": EPOCHS}
    bank = np.array(store.augmented(images, rows, backbone, **options))
    targets = encode_labels(images)
    groups = groups_of([read_image(path) for path in images.table["path"]])
    right = {}
    for views in VIEWS:
        features = tests[None] if views == "none" else bank[: int(views) or EPOCHS]
        right[views] = np.zeros((SEEDS, len(images)))
        for seed in range(SEEDS):
            folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
            for fold in folds.split(tests, targets, groups):
                right[views][seed, fold[1]] = train_head(features, tests, targets, fold, seed)
    found = []
    for views in VIEWS:
        change = (right[views] - right["0"]).mean(0)
        found.append(
            {
                "network": f"{network} ({backbone.weights.name})",
                "views": views,
                "accuracy, %": 100 * right[views].mean(),
                "- 0": 100 * change.mean(),
                "s.e.": 100 * change.std() / len(change) ** 0.5,
                "passes": 1 + (0 if views == "none" else int(views) or EPOCHS),
            }
        )
    return found


def main() -> None:
    """Print one table per network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--networks", nargs="+", default=["efficientnet-lite0", "resnet18"])
    parser.add_argument("--images", type=int, default=0, help="about how many; 0: all")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--cache", type=Path, default=Path("runs/.cache"))
    args = parser.parse_args()
    images = load_imageset(args.folder).with_digests()
    images = some_of_each_class(images, args.images) if args.images else images
    print(f"{len(images)} images of {args.folder}, {FOLDS} folds, {SEEDS} seeds")
    torch.set_num_threads(1)
    for network in args.networks:
        rows = measure(images, network, FeatureStore(args.cache), args.image_size)
        print(table(rows), flush=True)


if __name__ == "__main__":
    main()
