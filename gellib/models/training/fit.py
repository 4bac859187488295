"""The training loop: phases of epochs, the history that is logged, early stopping."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.config import RunConfig
from gellib.config.expressions import EPOCH_METRICS
from gellib.models.backbones import isolated_rng
from gellib.models.training.epoch_scores import EpochScores, score
from gellib.models.training.inputs import CachedInputs, OnlineInputs
from gellib.models.training.monitor import EarlyStopping, check_monitor
from gellib.models.training.objective import Objective
from gellib.models.training.optimise import Schedule, clip_gradients, set_rate
from gellib.models.training.sampling import cut_batches, draw_order, sampling_weights


@dataclass
class Phase:
    """A range of epochs in which the same layers are trained on the same inputs.

    `network` computes logits from what `inputs` yield. With `threads` 0, torch keeps its own number
    of threads. With the precision `bf16`, the network computes in mixed precision; its weights and
    the loss stay in fp32.
    """

    epochs: range
    network: nn.Module
    inputs: CachedInputs | OnlineInputs
    optimizer: torch.optim.Optimizer
    threads: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Compute logits (N, classes), fp32, of a batch of inputs."""
        bf16 = self.precision == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            return self.network(x).float()


@dataclass
class Log:
    """What the loop logs: one row per epoch, per epoch and class, and per step of the optimiser."""

    epochs: list[dict[str, Any]] = field(default_factory=list)
    classes: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0

    def history(self) -> pd.DataFrame:
        """Return the table with one row per epoch."""
        return pd.DataFrame(self.epochs)

    def class_history(self) -> pd.DataFrame:
        """Return the table with one row per epoch, split and class."""
        return pd.DataFrame(self.classes)

    def learning_rates(self) -> pd.DataFrame:
        """Return the table with one row per step of the optimiser."""
        return pd.DataFrame(self.steps, columns=["step", "epoch", "learning_rate"])

    def add_epoch(
        self,
        epoch: int,
        train: EpochScores,
        val: EpochScores,
        classes: tuple[str, ...],
        *,
        learning_rate: float,
        seconds: float,
    ) -> dict[str, Any]:
        """Add an epoch to the tables; return its row of the history.

        Parameters
        ----------
        epoch
            Its number, from 1.
        train, val
            Scores of the training and of the validation images.
        classes
            Names of the classes.
        learning_rate
            The learning rate of the last step of the epoch.
        seconds
            Duration of the epoch.
        """
        parts = {"train": train, "val": val}
        row: dict[str, Any] = {"epoch": epoch}
        row |= {f"{p}_{m}": getattr(parts[p], m) for m in EPOCH_METRICS for p in parts}
        self.epochs.append(row | {"learning_rate": learning_rate, "seconds": seconds})
        for split, scores in parts.items():
            each = zip(scores.class_precision, scores.class_recall, scores.class_f1, strict=True)
            for name, (precision, recall, f1) in zip(classes, each, strict=True):
                row = {"epoch": epoch, "split": split, "class": name}
                self.classes.append(row | {"precision": precision, "recall": recall, "f1": f1})
        return self.epochs[-1]


class Fit:
    """Minimises the objective over phases of epochs.

    Losses and scores of the training images are those of the batches, with dropout and while the
    network changes; those of the validation images are computed after the epoch.

    Parameters
    ----------
    config
        The configuration of the run.
    train_targets, val_targets
        Targets of the training and of the validation images, as from `encode_labels`.
    classes
        Names of the classes.
    device
        Where to compute.

    Raises
    ------
    ValueError
        When the configuration stops early by a validation score and there are no validation images.
    """

    def __init__(
        self,
        config: RunConfig,
        train_targets: np.ndarray,
        val_targets: np.ndarray,
        classes: tuple[str, ...],
        device: torch.device,
    ) -> None:
        if config.patience and check_monitor(config.monitor)[0].startswith("val_"):
            if not len(val_targets):
                raise ValueError(
                    f"patience: got {config.patience} with monitor {config.monitor!r}, but there "
                    "are no validation images; set val_fraction, or monitor to train_loss"
                )
        self.config, self.classes, self.device = config, classes, device
        self.targets = torch.from_numpy(train_targets)
        self.val_targets = torch.from_numpy(val_targets)
        self.objective = Objective.of(config, train_targets, len(classes), device)
        balanced = config.imbalance == "sampler"
        self.weights = sampling_weights(train_targets, len(classes)) if balanced else None
        self.log = Log()

    def run(self, phases: Iterable[Phase], trained: nn.Module, *, progress: bool = False) -> Log:
        """Train through the phases; each is requested when the one before it has ended.

        With a `patience`, the last phase ends when the monitored value has not improved for so many
        epochs, and `trained` gets back its parameters of the best epoch. Without, those of the last
        epoch are kept.
        """
        config, log = self.config, self.log
        stopping = EarlyStopping(config.monitor, config.patience)
        best: dict[str, torch.Tensor] = {}
        total = config.num_epochs
        with tqdm(total=total, unit="epoch", desc="training", disable=not progress) as bar:
            for phase in phases:
                stopping.reset_patience()
                last = phase.epochs.stop > config.num_epochs
                for row in self._epochs(phase, stopping):
                    if stopping.update(row["epoch"], row) and config.patience:
                        best = copy.deepcopy(trained.state_dict())
                    bar.update()
                    bar.set_postfix_str(
                        f"loss {row['train_loss']:.3f}, validation {row['val_accuracy']:.1%}"
                    )
                    if last and stopping.should_stop:
                        break
                phase.network.eval()
        if best:
            trained.load_state_dict(best)
        log.best_epoch = stopping.best_epoch if best else log.epochs[-1]["epoch"]
        return log

    def _epochs(self, phase: Phase, stopping: EarlyStopping) -> Iterator[dict[str, Any]]:
        count = len(self._batches(phase, phase.epochs.start))
        schedule = Schedule(self.config.schedule, epochs=len(phase.epochs), steps_per_epoch=count)
        for number, epoch in enumerate(phase.epochs):
            started = time.perf_counter()
            with _threads(phase.threads):
                factors = (schedule.factor(number, step) for step in range(count))
                train = self._train(phase, epoch, factors)
                val = self._validate(phase)
            row = self.log.add_epoch(
                epoch,
                train,
                val,
                self.classes,
                learning_rate=self.log.steps[-1]["learning_rate"],
                seconds=time.perf_counter() - started,
            )
            schedule.step(stopping.cost(row))
            yield row

    def _batches(self, phase: Phase, epoch: int) -> list[np.ndarray]:
        order = draw_order(len(self.targets), self.config.seed, epoch, self.weights)
        return cut_batches(order, self.config.batch_size, pairs=_trains_batch_norm(phase.network))

    def _train(self, phase: Phase, epoch: int, factors: Iterator[float]) -> EpochScores:
        network, optimizer, config = phase.network, phase.optimizer, self.config
        batches = self._batches(phase, epoch)
        network.train()
        seen = []
        with isolated_rng(config.seed, "dropout", epoch, device=self.device):
            inputs = phase.inputs.train_batches(epoch, batches)
            for positions, x, factor in zip(batches, inputs, factors, strict=True):
                rate = set_rate(optimizer, factor)
                logits = phase.logits(x.to(self.device))
                loss = self.objective.loss(logits, self.targets[positions].to(self.device))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                clip_gradients(optimizer, config.clip_value, config.clip_norm)
                optimizer.step()
                seen.append(logits.detach().cpu())
                step = {"step": len(self.log.steps) + 1, "epoch": epoch, "learning_rate": rate}
                self.log.steps.append(step)
        return score(self.objective, torch.cat(seen), self.targets[np.concatenate(batches)])

    def _validate(self, phase: Phase) -> EpochScores:
        phase.network.eval()
        seen = [torch.empty(0, len(self.classes))]
        with torch.inference_mode():
            seen += [phase.logits(x.to(self.device)).cpu() for x in phase.inputs.val_batches()]
        return score(self.objective, torch.cat(seen), self.val_targets)


def _trains_batch_norm(network: nn.Module) -> bool:
    kinds = torch.nn.modules.batchnorm._BatchNorm
    network.train()
    return any(isinstance(layer, kinds) and layer.training for layer in network.modules())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if count not in (0, before):
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count not in (0, before):
            torch.set_num_threads(before)
