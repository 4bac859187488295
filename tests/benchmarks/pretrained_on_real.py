"""How pretrained weights do on real images: a linear head on frozen features, and zero-shot.

    python tests/benchmarks/pretrained_on_real.py FOLDER WEIGHTS...

FOLDER has a folder per class, `gel` and `not_gel`. Near-duplicates (a gel saved twice, cropped or
brightened) are kept on one side of the five folds. Figures are for reporting alone: a recipe that
is chosen by them is fitted to one laboratory's pictures.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gellib.data import load_imageset
from gellib.data.images import read_image
from gellib.labsim.pretraining.weights_files import load_class_model
from gellib.models.backbones import stretch_contrast
from gellib.models.features import unaugmented_view

SAME = 0.98  # correlation of thumbnails, above which two pictures are one
THUMBNAIL_PX = 32
REPEATS = 5


def groups_of(images: list[np.ndarray]) -> np.ndarray:
    """Number the pictures so that near-duplicates, and theirs in turn, share a number."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    small = np.stack(
        [np.asarray(Image.fromarray(stretch_contrast(i)).resize(size)) for i in images]
    )
    alike = np.corrcoef(small.reshape(len(small), -1).astype(float)) > SAME
    groups = np.arange(len(images))
    for i, j in zip(*np.nonzero(alike), strict=True):
        groups[groups == groups[max(i, j)]] = groups[min(i, j)]
    return groups


def judge(path: str, images: list[np.ndarray], is_gel: np.ndarray, groups: np.ndarray) -> dict:
    """Compute the accuracies of one file of weights."""
    backbone, head, classes = load_class_model(path)
    gel = np.array(list(classes.values()))
    result: dict = {}
    for contrast in ("none", "stretch"):
        shown = images if contrast == "none" else [stretch_contrast(image) for image in images]
        views = np.stack([unaugmented_view(image, backbone.preprocessing) for image in shown])
        parts = torch.from_numpy(views).split(16)
        features = torch.cat([backbone.extract(part) for part in parts])
        with torch.inference_mode():
            shares = torch.softmax(head(features), 1).numpy()
        said = shares[:, gel].sum(1) > 0.5
        result[contrast] = {
            "head": _cross_validate(features.numpy(), is_gel, groups),
            "zero_shot": round(float((said == is_gel).mean()), 4),
            "zero_shot_gels": round(float(said[is_gel].mean()), 4),
            "zero_shot_others": round(float((~said[~is_gel]).mean()), 4),
        }
    return result


def _cross_validate(features: np.ndarray, is_gel: np.ndarray, groups: np.ndarray) -> float:
    right = []
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=repeat)
        for train, test in folds.split(features, is_gel, groups):
            head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
            head.fit(features[train], is_gel[train])
            right += list(head.predict(features[test]) == is_gel[test])
    return round(float(np.mean(right)), 4)


def main() -> None:
    """Print the figures of each file as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("weights", nargs="+")
    args = parser.parse_args()
    imageset = load_imageset(args.folder)
    images = [read_image(path) for path in imageset.table["path"]]
    is_gel = imageset.table["label"].to_numpy() == imageset.classes.index("gel")
    groups = groups_of(images)
    counts = [len(set(groups[is_gel])), len(set(groups[~is_gel]))]
    print(f"{is_gel.sum()} gels in {counts[0]} groups, {(~is_gel).sum()} others in {counts[1]}")
    for path in args.weights:
        print(path, json.dumps(judge(path, images, is_gel, groups), indent=1))


if __name__ == "__main__":
    main()
