"""Cross-validation on cached features: every image is predicted by heads that never saw it.

All heads of the folds are trained together where they can be stacked, one by one where they cannot,
and solved one by one with the optimiser `lbfgs`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from gellib.data import ImageSet
from gellib.data.folds import Folds
from gellib.data.imageset import EXTRA
from gellib.models.backbones import Backbone, exact_arithmetic
from gellib.models.heads import Head
from gellib.models.training.epoch_scores import EpochScores
from gellib.models.training.fit import Fit, Phase, torch_threads
from gellib.models.training.fold_fits import FoldData, FoldFit, plan_fits, row_blocks
from gellib.models.training.head_stack import can_stack
from gellib.models.training.inputs import CachedInputs, RowsOnDisk
from gellib.models.training.lbfgs import solve
from gellib.models.training.optimise import check_schedule, make_optimizer
from gellib.models.training.stacked_fit import fit_stacked


@dataclass(frozen=True)
class CrossValidation:
    """What a cross-validation gave.

    Attributes
    ----------
    probabilities
        (R, N, classes) out-of-fold probabilities by repeat, not calibrated; NaN for images that
        take no part. Further training images, which come last, are left out.
    best_epochs
        The epoch that was kept, of each repeat and fold.
    scores
        By epoch, the scores of the images held out, averaged over the fits.
    folds
        The folds.
    seconds
        How long it took.
    """

    probabilities: np.ndarray
    best_epochs: tuple[int, ...]
    scores: tuple[EpochScores, ...]
    folds: Folds
    seconds: float

    @property
    def epochs(self) -> int:
        """For how many epochs a model of all images is to be trained: the median."""
        return int(np.floor(np.median(self.best_epochs) + 0.5))


def cross_validate(
    data: FoldData, imageset: ImageSet, backbone: Backbone, folds: Folds
) -> CrossValidation:
    """Train a head for each repeat and fold, and predict the images that it did not see.

    Parameters
    ----------
    data
        Features, targets and configuration.
    imageset
        All images.
    backbone
        The frozen backbone.
    folds
        The folds.
    """
    started = time.perf_counter()
    config = data.config
    fits = plan_fits(data, imageset, folds, config.val_fraction)
    head = fits[0].head(backbone, imageset)
    with exact_arithmetic(), torch_threads(1):
        if config.opt_alg == "lbfgs":
            for fit in fits:
                _solve(fit)
        elif can_stack(head) and check_schedule(config.schedule)[0] != "plateau":
            fit_stacked(fits, imageset, backbone)
        else:
            fit_one_by_one(fits, imageset, backbone)
    probabilities = np.full((folds.repeats, len(imageset), len(data.classes)), np.nan)
    for fit in fits:
        found = head.probabilities(fit.outcome.logits.double()).numpy()
        probabilities[fit.repeat, fit.held_out] = found
    own = (imageset.table["split"] != EXTRA).to_numpy()
    return CrossValidation(
        probabilities[:, own],
        tuple(fit.outcome.best_epoch for fit in fits),
        _averaged([fit.outcome.scores for fit in fits]),
        folds,
        time.perf_counter() - started,
    )


def fit_one_by_one(fits: Sequence[FoldFit], imageset: ImageSet, backbone: Backbone) -> None:
    """Train the heads of all fits one after the other, by `Fit`, and set their outcomes.

    Parameters
    ----------
    fits
        The fits.
    imageset
        All images.
    backbone
        The backbone, for the size of its features.
    """
    for fit in fits:
        data, head = fit.data, fit.head(backbone, imageset)
        own = data.place[fit.train]
        views = [_chosen(of_epoch, own) for of_epoch in data.inputs.train_features]
        inputs = CachedInputs(views, RowsOnDisk(data.unaugmented, fit.val))
        config = fit.config
        group = {"params": list(head.parameters()), "lr": config.learning_rate}
        phase = Phase(
            range(1, config.num_epochs + 1), head, inputs, make_optimizer(config, [group]), 1
        )
        targets = data.targets[fit.train], data.targets[fit.val]
        loop = Fit(config, *targets, data.classes, data.device)
        seen: list[torch.Tensor] = []
        predict = partial(_append_held_out, seen, fit, head)
        log = loop.run([phase], head, after_epoch=predict)
        for epoch, logits in enumerate(seen, start=1):
            scores = fit.score(logits, fit.held_out)
            fit.outcome.add(epoch, logits, scores, keep=epoch == log.best_epoch)


def _append_held_out(seen: list[torch.Tensor], fit: FoldFit, head: Head) -> None:
    """Predict the images that a fit holds out, after an epoch."""
    head.eval()
    data = fit.data
    with torch.inference_mode():
        blocks = [
            head(torch.from_numpy(data.unaugmented[rows]).to(data.device)).cpu()
            for rows in row_blocks(fit.held_out)
        ]
    seen.append(torch.cat([torch.empty(0, len(data.classes)), *blocks]))


def _solve(fit: FoldFit) -> None:
    data = fit.data
    features = np.asarray(data.unaugmented[fit.train], dtype=np.float64)
    weights, biases = solve(data.config, features, data.targets[fit.train], len(data.classes))
    blocks = [data.unaugmented[rows] @ weights.T + biases for rows in row_blocks(fit.held_out)]
    logits = torch.from_numpy(np.concatenate(blocks)).float()
    fit.outcome.add(1, logits, fit.score(logits, fit.held_out), keep=True)


def _chosen(views: np.ndarray | RowsOnDisk, own: np.ndarray) -> RowsOnDisk:
    if isinstance(views, RowsOnDisk):
        return RowsOnDisk(views.array, views.rows[own])
    return RowsOnDisk(views, own)


def _averaged(scores: Sequence[Sequence[EpochScores]]) -> tuple[EpochScores, ...]:
    """Average over the fits, epoch by epoch; a fit that has stopped has no more part in it."""
    out = []
    for epoch in range(max(map(len, scores))):
        there = [own[epoch] for own in scores if epoch < len(own)]
        means = (np.mean(values, axis=0) for values in zip(*there, strict=True))
        loss, accuracy, f1, *of_classes = means
        out.append(EpochScores(float(loss), float(accuracy), float(f1), *of_classes))
    return tuple(out)
