"""What bf16 does to features and to predictions, against fp32, on the demo images.

    python tests/benchmarks/bench_precision.py [--quick] [--out FILE]

Each network of `runs/gel.yaml` gives the features of all images in either precision, and a head is
trained on each. `features_off` is the root mean square of the difference by that of the features;
`p_off` the largest difference of a test image's probability, `other_answers` how many test images
get another class.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import NETWORKS, cores, parse, report

from gellib.base.paths import find_path
from gellib.config import RunConfig
from gellib.data import load_imageset
from gellib.data.splits import split_imageset
from gellib.models.backbones import build_backbone
from gellib.models.compute import Compute
from gellib.models.features import FeatureStore
from gellib.models.training import head_probabilities, train


def compare(network: str, cache: Path, **params: Any) -> dict[str, Any]:
    """Train and predict in fp32 and in bf16."""
    config = RunConfig(pretrained_model=network, augmentation="none", seed=0, **params)
    images = split_imageset(
        load_imageset(find_path(config.dataset_dir)), val_fraction=config.val_fraction, seed=0
    )
    test = (images.table["split"] == "test").to_numpy()
    features, p, img_s = {}, {}, {}
    for precision in ("fp32", "bf16"):
        backbone = build_backbone(network, weights=config.weights, image_size=config.image_size)
        store = FeatureStore(cache / precision)
        started = time.perf_counter()
        features[precision] = store.unaugmented(images, backbone, precision=precision)
        img_s[precision] = len(test) / (time.perf_counter() - started)
        chosen = config.model_copy(update={"precision": precision})
        result = train(chosen, images, backbone, Compute(precision=precision, store=store))
        p[precision] = head_probabilities(result.head, features[precision])[test]
    off = features["bf16"] - features["fp32"]
    return {
        "network": network,
        "fp32_img_s": img_s["fp32"],
        "bf16_img_s": img_s["bf16"],
        "features_off": float(np.sqrt(np.mean(off**2) / np.mean(features["fp32"] ** 2))),
        "p_off": float(np.abs(p["bf16"] - p["fp32"]).max()),
        "other_answers": int((p["bf16"].argmax(1) != p["fp32"].argmax(1)).sum()),
        "test_images": int(test.sum()),
    }


def main() -> None:
    """Compare each network and print what came out."""
    args = parse(__doc__)
    networks = NETWORKS[:1] if args.quick else NETWORKS
    params = {"image_size": 64, "num_epochs": 2} if args.quick else {}
    import torch

    torch.set_num_threads(cores())
    with tempfile.TemporaryDirectory() as cache:
        rows = [compare(network, Path(cache), **params) for network in networks]
    report("precision", args, rows)


if __name__ == "__main__":
    main()
