"""Training: a head on a frozen backbone's cached features, or on the network itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import nn

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.models.backbones import Backbone, exact_arithmetic, resolve_precision, trained_layers
from gellib.models.features import FeatureStore
from gellib.models.heads import Head, build_head
from gellib.models.training.fit import Fit
from gellib.models.training.lbfgs import fit_lbfgs
from gellib.models.training.objective import encode_labels
from gellib.models.training.phases import compute_features, plan_phases, rows_of, training_precision


@dataclass
class TrainResult:
    """A trained head (and backbone, where that is trained too), and how it went.

    `history` has one row per epoch: epoch (from 1), loss, accuracy and f1 (mean over classes) of
    `train_` and `val_`, learning_rate (of the epoch's last step), seconds. The losses are plain
    cross entropies, whatever was minimised. `class_history` has the precision, recall and f1 of
    each class in each epoch and split; `learning_rates` has one row per step of the optimiser.
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
    """Train a head, and the backbone's layers that `trainable` names, for a set of split images.

    While the backbone is frozen the head is trained on cached features, in one thread, so that the
    result is the same to the last bit on a machine. Layers are trained on what the frozen ones in
    front of them give, computed once, or on the images where these are augmented; in mixed
    precision where the hardware and the network gain by it (`training_precision`).
    `cached=False` computes everything anew in every epoch, for comparison. The global random state
    is left as it was. `lbfgs` takes the images as they are, and needs no epochs.

    Raises
    ------
    ValueError
        When there are no training images, for a wrong augmentation, and for layers that the
        network does not have.
    """
    device = torch.device(device)
    targets = encode_labels(imageset)
    rows = rows_of(imageset)
    layers = trained_layers(backbone.network, config.trainable)
    precision = resolve_precision(config.precision, device)
    if layers or not (cached and backbone.frozen):
        precision = training_precision(config, backbone.network, device)
    head = build_head(
        config.classifier_head,
        backbone.dim,
        len(imageset.classes),
        task=imageset.task,
        dropout=config.dropout,
        seed=config.seed,
    ).to(device)
    before_s = store.seconds
    options: dict[str, Any] = {"store": store, "device": device, "progress": progress}
    parts = targets[rows["train"]], targets[rows["val"]]
    if config.opt_alg == "lbfgs":
        inputs = compute_features(config, imageset, backbone, **options)
        features_s, started = store.seconds - before_s, time.perf_counter()
        log = fit_lbfgs(config, head, inputs, *parts, imageset.classes)
    else:
        phases = plan_phases(config, imageset, backbone, head, layers, cached=cached, **options)
        features_s, started = store.seconds - before_s, time.perf_counter()
        trained = head if backbone.frozen and not layers else nn.ModuleList([backbone, head])
        with exact_arithmetic():
            fit = Fit(config, *parts, imageset.classes, device)
            log = fit.run(phases, trained, progress=progress)
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
