"""What training logs: tables by epoch, by epoch and class, and by step of the optimiser."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from gellib.config.expressions import EPOCH_METRICS
from gellib.models.training.epoch_scores import EpochScores


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
