"""Training: a head on a frozen backbone's cached features, or on the network itself."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pandas as pd
from torch import nn

from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.data.folds import Folds
from gellib.models.backbones import Backbone, exact_arithmetic, resolve_precision, trained_layers
from gellib.models.compute import Compute
from gellib.models.heads import Head, build_head
from gellib.models.training.cached_inputs import compute_features, fold_data
from gellib.models.training.crossval import CrossValidation, cross_validate
from gellib.models.training.fit import Fit
from gellib.models.training.inputs import CachedInputs, split_rows
from gellib.models.training.lbfgs import fit_lbfgs
from gellib.models.training.networks import training_precision
from gellib.models.training.objective import encode_labels
from gellib.models.training.phases import plan_phases


@dataclass
class TrainResult:
    """A trained model and the history of its training.

    Attributes
    ----------
    history
        One row per epoch: `epoch` (from 1); `loss`, `accuracy` and `f1` (mean over classes), each
        for `train_` and `val_`; `learning_rate` of the last step; `seconds`. The losses are cross
        entropies without weights or smoothing, whatever was minimised.
    class_history
        Precision, recall and F1, one row per epoch, split and class.
    learning_rates
        One row per step of the optimiser.
    best_epoch, stopped_epoch
        The epoch whose parameters were kept, and the last epoch.
    head, backbone
        The model.
    features_s
        Seconds that computing the features takes, whether this run computed them or an earlier one.
    training_s
        Seconds of all epochs.
    precision
        The arithmetic that was used: `fp32`, `bf16` or `fp16`.
    cross_validation
        The out-of-fold predictions; the columns `val_` of the history are then of the images held
        out, averaged over the folds. None for a holdout.
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
    cross_validation: CrossValidation | None = None

    @property
    def seconds(self) -> float:
        """Seconds of features and training together."""
        return self.features_s + self.training_s


def train(
    config: RunConfig,
    imageset: ImageSet,
    backbone: Backbone,
    compute: Compute,
    *,
    cached: bool = True,
    folds: Folds | None = None,
) -> TrainResult:
    """Train a head and the layers of the backbone that `trainable` names.

    While the backbone is frozen, the head is trained on cached features, in one thread, so that the
    result is the same to the last bit on a machine. Layers of the backbone are trained on the
    activations in front of them, computed once, or with augmentation on the images; in mixed
    precision where this is faster (`training_precision`). The optimiser `lbfgs` uses the images
    without augmentation, and has no epochs. The global random state is left as it was.

    With `folds`, heads of all folds are trained first; the final one is trained on all images of
    the split `cv`, for the median of their best epochs.

    Parameters
    ----------
    config
        The configuration of the run.
    imageset
        The images, split.
    backbone
        The backbone, which is changed in place.
    compute
        How to compute, with a store.
    cached
        Whether inputs that are the same in every epoch are computed once; False is for comparison.
    folds
        The folds of a cross-validation; None for a holdout.

    Raises
    ------
    ValueError
        When there are no training images, for a wrong augmentation, for layers that the network
        does not have, without a store, and when `compute` has another precision than `config`.
    """
    if compute.precision != config.precision:
        raise ValueError(
            f"precision: got {compute.precision!r} to compute with and {config.precision!r} in the "
            "configuration, expected the same; set both"
        )
    store, device = compute.features, compute.device
    targets = encode_labels(imageset)
    rows = split_rows(imageset)
    layers = trained_layers(backbone.network, config.trainable)
    precision = resolve_precision(compute.precision, device)
    if layers or not (cached and backbone.frozen):
        precision = training_precision(compute, backbone.network)
    head = build_head(
        config.classifier_head,
        backbone.dim,
        len(imageset.classes),
        task=imageset.task,
        dropout=config.dropout,
        seed=config.seed,
    ).to(device)
    before_s = store.seconds
    parts = targets[rows["train"]], targets[rows["val"]]
    crossed: CrossValidation | None = None
    inputs: CachedInputs | None = None
    if folds is not None:
        data = fold_data(config, imageset, backbone, compute)
        inputs = data.inputs
        crossed = cross_validate(data, imageset, backbone, folds)
        # The epoch is chosen; no image is left to choose another one by.
        config = config.model_copy(update={"patience": 0})
    known_val = crossed.scores if crossed else ()
    if config.opt_alg == "lbfgs":
        inputs = inputs or compute_features(config, imageset, backbone, compute)
        features_s, started = store.seconds - before_s, time.perf_counter()
        known = known_val[0] if known_val else None
        log = fit_lbfgs(config, head, inputs, *parts, imageset.classes, known)
    else:
        phases = plan_phases(
            config, imageset, backbone, head, layers, compute, cached=cached, features=inputs
        )
        features_s, started = store.seconds - before_s, time.perf_counter()
        trained = head if backbone.frozen and not layers else nn.ModuleList([backbone, head])
        with exact_arithmetic():
            fit = Fit(config, *parts, imageset.classes, device, known_val)
            last = crossed.epochs if crossed else 0
            log = fit.run(phases, trained, last_epoch=last, progress=bool(compute.progress))
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
        crossed,
    )
