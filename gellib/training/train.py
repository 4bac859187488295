"""Training: a head on a frozen backbone's cached features, or on the network itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from gellib.backbones import Backbone, exact_arithmetic, resolve_precision
from gellib.config import RunConfig
from gellib.datasets import ImageSet
from gellib.features import FeatureStore, check_augmentation
from gellib.heads import Head, build_head
from gellib.training.fit import Fit, Phase
from gellib.training.inputs import CachedInputs, OnlineInputs
from gellib.training.objective import encode_labels
from gellib.training.optimise import make_optimizer


@dataclass
class TrainResult:
    """A trained head (and backbone, where that is trained too), and how it went.

    `history` has a row an epoch: epoch (from 1), loss, accuracy and f1 (the mean over the classes)
    of `train_` and `val_`, learning_rate (of the epoch's last step), seconds. The losses are plain
    cross entropies, whatever was minimised. `class_history` has the precision, recall and f1 of
    each class in each epoch and split; `learning_rates` has a row a step of the optimiser.
    `best_epoch` is the one whose parameters were kept, `stopped_epoch` the last that ran.
    `features_s` is what computing the features takes, also where an earlier run has done it,
    `training_s` the time of the epochs, `seconds` both.
    """

    history: pd.DataFrame
    class_history: pd.DataFrame
    learning_rates: pd.DataFrame
    best_epoch: int
    stopped_epoch: int
    head: Head
    backbone: Backbone
    features_s: float
    training_s: float
    precision: str

    @property
    def seconds(self) -> float:
        """Seconds that features and training took together."""
        return self.features_s + self.training_s


def train(
    config: RunConfig,
    imageset: ImageSet,
    backbone: Backbone,
    *,
    store: FeatureStore,
    device: torch.device | str = "cpu",
    progress: bool = True,
    cached: bool = True,
) -> TrainResult:
    """Train a head for the images of a set whose split is complete.

    With a frozen backbone the head is trained on cached features, in one thread, so that the
    result is the same to the last bit on a machine; `cached=False` computes them anew in every
    epoch, in fp32, for comparison. A backbone of `input_adapter` reinit is always trained online,
    in fp32. The global random state is left as it was.

    Raises
    ------
    ValueError
        When there are no training images, or a wrong augmentation.
    """
    device = torch.device(device)
    targets = encode_labels(imageset)
    rows = _rows(imageset)
    cached = cached and backbone.frozen
    precision = resolve_precision(config.precision, device) if cached else "fp32"
    before_s = store.seconds
    inputs: CachedInputs | OnlineInputs
    if cached:
        inputs = compute_features(
            config, imageset, backbone, store=store, device=device, progress=progress
        )
    else:
        if backbone.needs_calibration:
            store.calibrate(imageset, rows["train"], backbone, progress=progress)
        inputs = _online_inputs(config, imageset, rows, backbone, store)
    features_s = store.seconds - before_s

    started = time.perf_counter()
    head = build_head(
        config.classifier_head,
        backbone.dim,
        len(imageset.classes),
        task="multilabel" if imageset.task == "multilabel" else "single_label",
        seed=config.seed,
    ).to(device)
    network = head if cached else nn.Sequential(backbone.to(device), head)
    fit = Fit(config, targets[rows["train"]], targets[rows["val"]], imageset.classes, device)
    phase = Phase(
        range(1, config.num_epochs + 1),
        network,
        inputs,
        make_optimizer(config, [_group(network, config.learning_rate)]),
        # A head is too small to gain from threads, and their number must not change the result.
        threads=1 if cached else 0,
    )
    with exact_arithmetic():
        log = fit.run([phase], network, progress=progress)
    training_s = time.perf_counter() - started
    return TrainResult(
        log.history(),
        log.class_history(),
        log.learning_rates(),
        log.best_epoch,
        log.epochs[-1]["epoch"],
        head,
        backbone,
        features_s,
        training_s,
        precision,
    )


def _group(network: nn.Module, rate: float) -> dict[str, Any]:
    return {"params": [p for p in network.parameters() if p.requires_grad], "lr": rate}


def compute_features(
    config: RunConfig,
    imageset: ImageSet,
    backbone: Backbone,
    *,
    store: FeatureStore,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> CachedInputs:
    """Have all features that training a head needs in the store; what is there is not made again.

    Batch norms of random weights are calibrated first, on the training images.
    """
    rows = _rows(imageset)
    if backbone.needs_calibration:
        store.calibrate(imageset, rows["train"], backbone, progress=progress)
    options: dict[str, Any] = {
        "precision": config.precision,
        "device": torch.device(device),
        "progress": progress,
    }
    plain = store.plain(imageset, backbone, **options)
    if check_augmentation(config.augmentation):
        views = store.views(
            imageset,
            rows["train"],
            backbone,
            augmentation=config.augmentation,
            seed=config.seed,
            epochs=config.num_epochs,
            **options,
        )
    else:
        views = plain[rows["train"]][None]
    return CachedInputs(views, plain[rows["val"]])


def _rows(imageset: ImageSet) -> dict[str, np.ndarray]:
    split = imageset.table["split"].to_numpy()
    rows = {part: np.flatnonzero(split == part) for part in ("train", "val")}
    if not len(rows["train"]):
        raise ValueError("no image of the set is in the part `train`; split it first")
    return rows


def _online_inputs(
    config: RunConfig,
    imageset: ImageSet,
    rows: dict[str, np.ndarray],
    backbone: Backbone,
    store: FeatureStore,
) -> OnlineInputs:
    table = imageset.table
    if (table["digest"] == "").any():
        table = imageset.with_digests().table
    return OnlineInputs(
        train_paths=list(table["path"].iloc[rows["train"]]),
        train_digests=list(table["digest"].iloc[rows["train"]]),
        val_paths=list(table["path"].iloc[rows["val"]]),
        preprocessing=backbone.preprocessing,
        limits=store.limits,
        steps=check_augmentation(config.augmentation),
        seed=config.seed,
    )
