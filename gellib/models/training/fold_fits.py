"""The fits of a cross-validation: their images, and what each predicts for those it held out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from gellib.base.seeding import derive_seed
from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.data.folds import Folds, draw_validation
from gellib.models.backbones import Backbone
from gellib.models.heads import Head, build_head
from gellib.models.training.epoch_scores import EpochScores, score_epoch
from gellib.models.training.inputs import CachedInputs
from gellib.models.training.monitor import needs_validation
from gellib.models.training.objective import Objective
from gellib.models.training.sampling import sampling_weights

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class FoldData:
    """What all fits of a cross-validation share.

    Attributes
    ----------
    config
        The configuration of the run.
    inputs
        Features of the n images that take part, as they are trained on.
    unaugmented
        (N, dim) features of all images without augmentation.
    place
        (N,) position of each image among those that take part.
    targets
        (N,) class numbers, or (N, classes) of 0 and 1.
    classes
        Names of the classes.
    device
        Where to compute.
    """

    config: RunConfig
    inputs: CachedInputs
    unaugmented: np.ndarray
    place: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    device: torch.device

    def training_views(self, epoch: int, rows: np.ndarray) -> torch.Tensor:
        """Get the features (n, dim) of some images as they are in an epoch (from 1)."""
        return self.inputs.train_batch(epoch, self.place[rows])


@dataclass
class FoldFit:
    """One head to train: its images, by rows of the table, and its own seed and objective."""

    data: FoldData
    repeat: int
    fold: int
    seed: int
    train: np.ndarray
    val: np.ndarray
    held_out: np.ndarray
    objective: Objective
    outcome: FoldOutcome = field(default_factory=lambda: FoldOutcome())

    @property
    def config(self) -> RunConfig:
        """The run's configuration with the seed of this fit."""
        return self.data.config.model_copy(update={"seed": self.seed})

    @property
    def weights(self) -> np.ndarray | None:
        """The probability of each training image to be drawn; None: each once per epoch."""
        if self.data.config.imbalance != "sampler":
            return None
        return sampling_weights(self.data.targets[self.train], len(self.data.classes))

    def head(self, backbone: Backbone, imageset: ImageSet) -> Head:
        """Build the head with its initial weights."""
        return build_head(
            self.data.config.classifier_head,
            backbone.dim,
            len(self.data.classes),
            task=imageset.task,
            dropout=self.data.config.dropout,
            seed=self.seed,
        ).to(self.data.device)

    def score(self, logits: torch.Tensor, rows: np.ndarray) -> EpochScores:
        """Score logits (n, classes) of some images."""
        return score_epoch(self.objective, logits, torch.from_numpy(self.data.targets[rows]))


@dataclass
class FoldOutcome:
    """What became of a fit.

    Attributes
    ----------
    logits
        (n, classes) of the images held out, after the epoch that was kept.
    best_epoch
        That epoch.
    scores
        Scores of the images held out, by epoch.
    """

    logits: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    best_epoch: int = 0
    scores: list[EpochScores] = field(default_factory=list)

    def add(self, epoch: int, logits: torch.Tensor, scores: EpochScores, *, keep: bool) -> None:
        """Add an epoch.

        Parameters
        ----------
        epoch
            Its number, from 1.
        logits
            (n, classes) of the images held out.
        scores
            Their scores.
        keep
            Whether it is the best epoch so far.
        """
        self.scores.append(scores)
        if keep:
            self.logits, self.best_epoch = logits, epoch


def plan_fits(data: FoldData, imageset: ImageSet, folds: Folds, share: float) -> list[FoldFit]:
    """Plan one fit per repeat and fold.

    Each has a seed of its own for initial weights, order and dropout, so that the repeats differ as
    much as runs with other seeds do; the random views are those of the run. Where an epoch is
    chosen, or the learning rate follows validation scores, a fit has validation images of its own.

    Parameters
    ----------
    data
        What the fits share.
    imageset
        All images.
    folds
        The folds.
    share
        Share of the training images that a fit validates on.
    """
    fits = []
    config = data.config
    for repeat in range(folds.repeats):
        for fold in range(folds.count):
            train, val = folds.training(repeat, fold), np.empty(0, int)
            if needs_validation(config):
                draw = {"seed": config.seed, "repeat": repeat, "fold": fold}
                train, val = draw_validation(imageset, train, share, **draw)
            fits.append(
                FoldFit(
                    data,
                    repeat,
                    fold,
                    derive_seed(config.seed, "fold", repeat, fold),
                    train,
                    val,
                    folds.held_out(repeat, fold),
                    Objective.of(config, data.targets[train], len(data.classes), data.device),
                )
            )
    return fits


def row_blocks(rows: np.ndarray) -> list[np.ndarray]:
    """Cut rows into blocks whose features fit into memory."""
    return [rows[i : i + _ROWS_AT_ONCE] for i in range(0, len(rows), _ROWS_AT_ONCE)]
