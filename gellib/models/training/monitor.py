"""Early stopping: which epoch is the best by a column of the history, and when to stop."""

from __future__ import annotations

import math

from gellib.config import RunConfig
from gellib.config.expressions import check_monitor, check_schedule


def needs_validation(config: RunConfig) -> bool:
    """Whether validation scores decide something: which epoch is kept, or the learning rate."""
    decides = config.patience > 0 or check_schedule(config.schedule)[0] == "plateau"
    return decides and check_monitor(config.monitor)[0].startswith("val_")


class EarlyStopping:
    """Keeps the best value of a column, its epoch, and how many epochs ago that was.

    NaN is never the best value.
    """

    def __init__(self, monitor: str, patience: int) -> None:
        self.column, self.direction = check_monitor(monitor)
        self.patience = patience
        self.best_epoch = 0
        self._best = math.inf
        self._waited = 0

    def cost(self, row: dict[str, float]) -> float:
        """Return the value of the column, negated if it is maximised, so that less is better."""
        return row[self.column] if self.direction == "min" else -row[self.column]

    def update(self, epoch: int, row: dict[str, float]) -> bool:
        """Add the row of an epoch; return whether it is the best so far."""
        cost = self.cost(row)
        better = cost < self._best
        if better:
            self._best, self.best_epoch, self._waited = cost, epoch, 0
        else:
            self._waited += 1
        return better

    def reset_patience(self) -> None:
        """Count epochs without improvement from 0 again; the best value is kept."""
        self._waited = 0

    @property
    def should_stop(self) -> bool:
        """Whether `patience` epochs in a row were no better; never with a patience of 0."""
        return 0 < self.patience <= self._waited
