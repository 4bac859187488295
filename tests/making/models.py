"""Finished runs with a model that predicts: any backbone and head, not trained."""

from __future__ import annotations

import numpy as np
import torch

from gellib.data.images import read_image
from gellib.evaluation import PredictionSetRule
from gellib.models.backbones import build_backbone
from gellib.models.explain import fit_out_of_distribution
from gellib.models.features import unaugmented_view, view_statistics
from gellib.models.heads import build_head
from gellib.models.training import save_model
from making.folders import make_gels
from making.sweeps import make_run


def make_model_run(
    folder,
    backbone="resnet18",
    head="single",
    *,
    weights="labsim",
    task="single_label",
    classes=("gel", "not_gel"),
    detector=True,
    **preparation,
):
    """Write a finished run of drawn gels whose probabilities differ from image to image."""
    drawn = make_gels(folder / "data", {"train": 8, "val": 2, "test": 2}, classes)
    params = {"dataset_dir": str(folder / "data"), "model_id": 1, "pretrained_model": backbone,
              "classifier_head": head}  # fmt: skip
    run = make_run(folder / "run", drawn, params, root=folder / "data", accuracy=1.0,
                   classes=classes)  # fmt: skip
    network = build_backbone(backbone, weights=weights, **preparation)
    model = build_head(head, network.dim, len(classes), task=task, seed=0).eval()
    pre = network.preprocessing
    views = [
        unaugmented_view(read_image(folder / "data" / file, color=pre.color), pre)
        for file in drawn["file"]
    ]
    features = network.extract(torch.from_numpy(np.stack(views)), precision="fp32")
    with torch.no_grad():
        logits = model(features)
        model[-1].weight *= 2 / logits.std(0)[:, None]
        model[-1].bias.copy_(-2 * (logits - model[-1].bias).mean(0) / logits.std(0))
        spread = model.probabilities(model(features)).std(0)
    assert spread.min() > 0.05, "a difference would not be seen"
    exclusive = task == "single_label"
    metadata = {"classes": list(classes), "temperature": 1.3}
    count = len(classes)
    metadata["prediction_sets"] = PredictionSetRule((0.3,) * count, (24,) * count).metadata()
    if not exclusive:
        metadata["thresholds"] = [0.5, 0.4, 0.6][:count]
    tensors = {}
    if detector:
        labels = drawn["label"].to_numpy() if exclusive else None
        found = fit_out_of_distribution(
            features.numpy(), np.stack([view_statistics(v) for v in views]),
            np.arange(len(views)), np.array([], int), labels=labels,
        )  # fmt: skip
        tensors, metadata["out_of_distribution"] = found.tensors(), found.metadata()
    save_model(run.model, model, network, metadata, tensors)
    return run
