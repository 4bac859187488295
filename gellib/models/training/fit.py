"""The training loop: phases of epochs, the history that is logged, early stopping."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from gellib.config import RunConfig
from gellib.models.backbones import isolated_rng
from gellib.models.training.epoch_scores import EpochScores, score_epoch
from gellib.models.training.inputs import CachedInputs, OnlineInputs
from gellib.models.training.monitor import EarlyStopping, check_monitor
from gellib.models.training.objective import Objective
from gellib.models.training.optimise import (
    Schedule,
    clear_gradients,
    clip_gradients,
    set_rate,
    take_step,
)
from gellib.models.training.sampling import cut_batches, draw_order, sampling_weights
from gellib.models.training.training_log import Log


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
    known_val
        Validation scores by epoch that are known already, such as those of a cross-validation: the
        model is trained on all images, and none are left to validate on.

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
        known_val: Sequence[EpochScores] = (),
    ) -> None:
        self.known_val = known_val
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

    def run(
        self,
        phases: Iterable[Phase],
        trained: nn.Module,
        *,
        last_epoch: int = 0,
        after_epoch: Callable[[], object] | None = None,
        progress: bool = False,
    ) -> Log:
        """Train through the phases; each is requested when the one before it has ended.

        With a `patience`, the last phase ends when the monitored value has not improved for so many
        epochs, and `trained` gets back its parameters of the best epoch. Without, those of the last
        epoch are kept.

        Parameters
        ----------
        phases
            The phases.
        trained
            What is trained.
        last_epoch
            The epoch after which training ends, although the learning rate is planned for all of
            them; 0: the last one.
        after_epoch
            Is called after each epoch.
        progress
            Whether to show a progress bar.
        """
        config, log = self.config, self.log
        stopping = EarlyStopping(config.monitor, config.patience)
        best: dict[str, torch.Tensor] = {}
        total = last_epoch or config.num_epochs
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
                    if after_epoch is not None:
                        after_epoch()
                    if row["epoch"] == total or (last and stopping.should_stop):
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
            with torch_threads(phase.threads):
                factors = (schedule.factor(number, step) for step in range(count))
                train = self._train(phase, epoch, factors)
                val = self.known_val[epoch - 1] if self.known_val else self._validate(phase)
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
                clear_gradients(optimizer)
                loss.backward()
                clip_gradients(optimizer, config.clip_value, config.clip_norm)
                take_step(optimizer)
                seen.append(logits.detach().cpu())
                step = {"step": len(self.log.steps) + 1, "epoch": epoch, "learning_rate": rate}
                self.log.steps.append(step)
        return score_epoch(self.objective, torch.cat(seen), self.targets[np.concatenate(batches)])

    def _validate(self, phase: Phase) -> EpochScores:
        phase.network.eval()
        seen = [torch.empty(0, len(self.classes))]
        with torch.inference_mode():
            seen += [phase.logits(x.to(self.device)).cpu() for x in phase.inputs.val_batches()]
        return score_epoch(self.objective, torch.cat(seen), self.val_targets)


def _trains_batch_norm(network: nn.Module) -> bool:
    kinds = torch.nn.modules.batchnorm._BatchNorm
    network.train()
    return any(isinstance(layer, kinds) and layer.training for layer in network.modules())


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Run a block with so many threads of torch; 0: as many as there are."""
    before = torch.get_num_threads()
    if count not in (0, before):
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count not in (0, before):
            torch.set_num_threads(before)
