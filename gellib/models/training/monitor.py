"""Which epoch is the best, and when to stop: early stopping on a column of the history."""

from __future__ import annotations

import math

from gellib.base.text import did_you_mean
from gellib.models.training.epoch_scores import METRICS

COLUMNS = tuple(f"{part}_{metric}" for metric in METRICS for part in ("train", "val"))
DIRECTIONS = ("min", "max")


def check_monitor(text: str) -> tuple[str, str]:
    """Read `val_loss` or `max:val_f1`: the column, and whether `min` or `max` is best.

    Without a prefix losses are minimised and all else is maximised.

    Raises
    ------
    ValueError
        For an unknown column or direction, with the nearest known one.
    """
    direction, colon, column = text.rpartition(":")
    column = column.strip()
    if colon and direction.strip() not in DIRECTIONS:
        raise ValueError(
            f"monitor: got direction {direction!r} in {text!r}, expected 'min:' or 'max:'"
        )
    if column not in COLUMNS:
        hint = did_you_mean(column, COLUMNS)
        raise ValueError(
            f"monitor: got {column!r}: {hint}Known columns: {', '.join(COLUMNS)}; with min: or "
            "max: before it where the direction is to be another"
        )
    return column, direction.strip() or ("min" if column.endswith("loss") else "max")


class Watch:
    """Keeps the best value of a column, its epoch, and how long ago that was.

    A value that is no number is never the best.
    """

    def __init__(self, monitor: str, patience: int) -> None:
        self.column, self.direction = check_monitor(monitor)
        self.patience = patience
        self.best_epoch = 0
        self._best = math.inf
        self._waited = 0

    def cost(self, row: dict[str, float]) -> float:
        """Return the column's value so that less is better."""
        return row[self.column] if self.direction == "min" else -row[self.column]

    def see(self, epoch: int, row: dict[str, float]) -> bool:
        """Look at an epoch; returns whether it is the best so far."""
        cost = self.cost(row)
        better = cost < self._best
        if better:
            self._best, self.best_epoch, self._waited = cost, epoch, 0
        else:
            self._waited += 1
        return better

    def restart(self) -> None:
        """Begin to wait anew; the best stays what it is."""
        self._waited = 0

    @property
    def patience_is_out(self) -> bool:
        """Whether `patience` epochs in a row were no better; never for a patience of 0."""
        return 0 < self.patience <= self._waited
