"""Training: a head on a frozen backbone's cached features, or on the network itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.backbones import Backbone, exact_arithmetic, named_seed, resolve_precision, seeded
from gellib.config import RunConfig
from gellib.datasets import ImageSet
from gellib.features import FeatureStore, check_augmentation
from gellib.heads import Head, build_head
from gellib.training.inputs import CachedInputs, OnlineInputs

SGD_MOMENTUM = 0.9


@dataclass
class TrainResult:
    """A trained head (and backbone, where that is trained too), and how it went.

    `history` has a row an epoch: epoch (from 1), train_loss, val_loss, train_accuracy,
    val_accuracy, learning_rate, seconds. `features_s` is what computing the features takes, also
    where an earlier run has done it, `training_s` the time of the epochs, `seconds` both.
    """

    history: pd.DataFrame
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
    labels = imageset.table["label"].to_numpy()
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
        config.classifier_head, backbone.dim, len(imageset.classes), seed=config.seed
    ).to(device)
    network = head if cached else nn.Sequential(backbone.to(device), head)
    # A head is too small to gain from threads, and their number must not change the result.
    with _threads(1 if cached else torch.get_num_threads()), exact_arithmetic():
        history = fit(
            network,
            inputs,
            train_labels=labels[rows["train"]].astype(np.int64),
            val_labels=labels[rows["val"]].astype(np.int64),
            optimizer=_optimizer(config, network),
            batch_size=config.batch_size,
            num_epochs=config.num_epochs,
            seed=config.seed,
            device=device,
            progress=progress,
        )
    training_s = time.perf_counter() - started
    return TrainResult(history, head, backbone, features_s, training_s, precision)


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


def fit(
    network: nn.Module,
    inputs: CachedInputs | OnlineInputs,
    *,
    train_labels: np.ndarray,
    val_labels: np.ndarray,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    num_epochs: int,
    seed: int,
    device: torch.device,
    progress: bool = False,
) -> pd.DataFrame:
    """Minimise the cross entropy; one row of history per epoch, as in `TrainResult`.

    Loss and accuracy in training are averages over the epoch, while the network changes and
    dropout is on; those of validation are taken after it.
    """
    history = []
    answers, val_answers = torch.from_numpy(train_labels), torch.from_numpy(val_labels)
    with tqdm(total=num_epochs, unit="epoch", desc="training", disable=not progress) as bar:
        for epoch in range(1, num_epochs + 1):
            started = time.perf_counter()
            generator = torch.Generator().manual_seed(named_seed(seed, "order", epoch))
            order = torch.randperm(len(answers), generator=generator).numpy()
            batches = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
            network.train()
            totals = np.zeros(2)
            with seeded(seed, "dropout", epoch, device=device):
                for positions, x in zip(batches, inputs.train_batches(epoch, batches), strict=True):
                    y = answers[positions].to(device)
                    logits = network(x.to(device))
                    loss = nn.functional.cross_entropy(logits, y)
                    optimizer.zero_grad(set_to_none=True)
                    loss.backward()
                    optimizer.step()
                    totals += len(y) * loss.item(), (logits.argmax(1) == y).sum().item()
            train_loss, train_accuracy = totals / len(answers)
            val_loss, val_accuracy = _validate(network, inputs, val_answers, device)
            history.append(
                {
                    "epoch": epoch,
                    "train_loss": train_loss,
                    "val_loss": val_loss,
                    "train_accuracy": train_accuracy,
                    "val_accuracy": val_accuracy,
                    "learning_rate": optimizer.param_groups[0]["lr"],
                    "seconds": time.perf_counter() - started,
                }
            )
            bar.update()
            bar.set_postfix_str(f"loss {train_loss:.3f}, validation {val_accuracy:.1%}")
    network.eval()
    return pd.DataFrame(history)


def _validate(
    network: nn.Module,
    inputs: CachedInputs | OnlineInputs,
    answers: torch.Tensor,
    device: torch.device,
) -> tuple[float, float]:
    if not len(answers):
        return float("nan"), float("nan")
    network.eval()
    with torch.inference_mode():
        logits = torch.cat([network(x.to(device)).cpu() for x in inputs.val_batches()])
        loss = nn.functional.cross_entropy(logits, answers).item()
    return loss, (logits.argmax(1) == answers).double().mean().item()


def _optimizer(config: RunConfig, network: nn.Module) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    if config.opt_alg == "adam":
        return torch.optim.Adam(parameters, lr=config.learning_rate)
    return torch.optim.SGD(parameters, lr=config.learning_rate, momentum=SGD_MOMENTUM)


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


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
