"""Train the heads of many folds at once: `fit_stacked` computes what `Fit` computes one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from gellib.base.seeding import derive_seed
from gellib.config.expressions import EPOCH_METRICS
from gellib.data import ImageSet
from gellib.models.backbones import Backbone
from gellib.models.training.epoch_scores import EpochScores
from gellib.models.training.fold_fits import FoldFit, row_blocks
from gellib.models.training.head_stack import HeadStack
from gellib.models.training.monitor import EarlyStopping, needs_validation
from gellib.models.training.optimise import (
    Schedule,
    clip_gradients,
    make_optimizer,
    set_rate,
    take_step,
)
from gellib.models.training.sampling import cut_batches, draw_order

# Weights, gradients, the optimiser's two moments, and inputs of one stack.
STACK_BYTES = 512 << 20


def fit_stacked(fits: Sequence[FoldFit], imageset: ImageSet, backbone: Backbone) -> None:
    """Train the heads of all fits, and set their outcomes.

    Fits with equally many batches per epoch form a stack: there, one optimiser of stacked weights
    does what an optimiser per head would do, since it treats each weight by itself.

    Parameters
    ----------
    fits
        The fits; their heads can be stacked.
    imageset
        All images.
    backbone
        The backbone, for the size of its features.
    """
    by_batches: dict[int, list[FoldFit]] = defaultdict(list)
    for fit in fits:
        by_batches[-(-len(fit.train) // fit.data.config.batch_size)].append(fit)
    for batches, own in by_batches.items():
        config = own[0].data.config
        size = sum(p.numel() for p in own[0].head(backbone, imageset).parameters())
        bytes_each = 4 * (4 * size + 2 * config.batch_size * backbone.dim)
        at_once = max(1, STACK_BYTES // bytes_each)
        for start in range(0, len(own), at_once):
            _Stack(own[start : start + at_once], batches, imageset, backbone).run()


class _Stack:
    """Fits with equally many batches per epoch."""

    def __init__(
        self, fits: Sequence[FoldFit], batches: int, imageset: ImageSet, backbone: Backbone
    ) -> None:
        self.fits, self.batches = fits, batches
        self.data = fits[0].data
        config = self.data.config
        self.heads = HeadStack([fit.head(backbone, imageset) for fit in fits])
        group = {"params": self.heads.parameters, "lr": config.learning_rate}
        self.optimizer = make_optimizer(config, [group], fused=True)
        self.schedule = Schedule(config.schedule, epochs=config.num_epochs, steps_per_epoch=batches)
        self.targets = torch.from_numpy(self.data.targets)
        self.stopping = [EarlyStopping(config.monitor, config.patience) for _ in fits]
        weights = [fit.objective.weights for fit in fits if fit.objective.weights is not None]
        first = fits[0].objective
        self.objective = replace(first, weights=torch.stack(weights)) if weights else first

    def run(self) -> None:
        """Train for all epochs, or until every fit has stopped."""
        for epoch in range(1, self.data.config.num_epochs + 1):
            train = self._train(epoch)
            for k, fit in enumerate(self.fits):
                if not self.stopping[k].should_stop:
                    self._validate(epoch, k, fit, train[k] if train else None)
            if all(stopping.should_stop for stopping in self.stopping):
                break

    def _train(self, epoch: int) -> list[EpochScores] | None:
        """Train an epoch; return the training scores of each fit where they choose the epoch."""
        config, device = self.data.config, self.data.device
        orders = [
            cut_batches(draw_order(len(fit.train), fit.seed, epoch, fit.weights), config.batch_size)
            for fit in self.fits
        ]
        generators = [
            torch.Generator().manual_seed(derive_seed(fit.seed, "dropout", epoch))
            for fit in self.fits
        ]
        monitored = config.patience and not needs_validation(config)
        seen: list[list[torch.Tensor]] = [[] for _ in self.fits]
        for step in range(self.batches):
            rows = [fit.train[order[step]] for fit, order in zip(self.fits, orders, strict=True)]
            sizes = [len(own) for own in rows]
            # The rows of a smaller last batch are filled up by its first one, which does not count.
            filled = np.stack([np.resize(own, max(sizes)) for own in rows])
            present = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
            x = self.data.training_views(epoch, filled.ravel()).view(*filled.shape, -1)
            set_rate(self.optimizer, self.schedule.factor(epoch - 1, step))
            logits = self.heads.logits(x.to(device), sizes, generators).requires_grad_()
            loss = self.objective.stacked_loss(
                logits, self.targets[filled].to(device), present.to(device)
            )
            self.heads.backward(*torch.autograd.grad(loss.sum(), logits))
            clip_gradients(self.optimizer, config.clip_value, 0.0)
            self.heads.clip_norms(config.clip_norm)
            take_step(self.optimizer)
            if monitored:
                for own, size, given in zip(seen, sizes, logits.detach().cpu(), strict=True):
                    own.append(given[:size])
        if not monitored:
            return None
        return [
            fit.score(torch.cat(own), fit.train[np.concatenate(order)])
            for own, fit, order in zip(seen, self.fits, orders, strict=True)
        ]

    def _validate(self, epoch: int, k: int, fit: FoldFit, train: EpochScores | None) -> None:
        """Score a fit's images after an epoch, and keep its predictions if they are the best."""
        keep = True
        if self.data.config.patience:
            part = "val" if train is None else "train"
            scores = train or fit.score(self._predict(k, fit.val), fit.val)
            row = {f"{part}_{name}": getattr(scores, name) for name in EPOCH_METRICS}
            keep = self.stopping[k].update(epoch, row)
        logits = self._predict(k, fit.held_out)
        fit.outcome.add(epoch, logits, fit.score(logits, fit.held_out), keep=keep)

    def _predict(self, k: int, rows: np.ndarray) -> torch.Tensor:
        data = self.data
        blocks = [
            self.heads.predict(k, torch.from_numpy(data.unaugmented[block]).to(data.device)).cpu()
            for block in row_blocks(rows)
        ]
        return torch.cat([torch.empty(0, len(data.classes)), *blocks])
