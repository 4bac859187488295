"""Counts of many predictions: labels, what cannot be said, what cannot be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gellib.training_run.prediction import Prediction
from gellib.training_run.training_images import note_of

_MOST_REASONS = 200


@dataclass
class Tally:
    """Counts of predictions.

    Attributes
    ----------
    total, unreadable
        Number of files, and how many of them cannot be read.
    labels, undecided
        By label: images that have it, and those of them of which the model cannot say what they
        are; the empty label is that of images without one.
    open
        Number of images of which the model cannot say what they are, whatever their labels.
    trained_on
        Number of images that the model was trained on.
    reasons
        The first files that cannot be read, with the reason.
    """

    total: int = 0
    unreadable: int = 0
    open: int = 0
    trained_on: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    reasons: list[tuple[str, str]] = field(default_factory=list)

    def add(self, prediction: Prediction) -> None:
        """Count a prediction."""
        self.total += 1
        if prediction.error:
            self.unreadable += 1
            if len(self.reasons) < _MOST_REASONS:
                self.reasons.append((prediction.file, prediction.error))
            return
        self.open += not prediction.decided
        self.trained_on += prediction.trained_on
        for label in prediction.labels or ("",):
            self.labels[label] += 1
            self.undecided[label] += not prediction.decided

    def sentence(self) -> str:
        """Say in one line what was predicted."""
        parts = [f"{n:,} {label or 'without a label'}" for label, n in self.labels.most_common()]
        more = [f"the model cannot say of {self.open:,}"] if self.open else []
        bad = [f"{self.unreadable:,} cannot be read"] if self.unreadable else []
        images = f"{self.total:,} image{'' if self.total == 1 else 's'}"
        return f"{images}: {'; '.join([', '.join(parts)] * bool(parts) + more + bad)}"

    @property
    def note(self) -> str:
        """Say how many images the model was trained on; empty where it was on none."""
        return note_of(self.trained_on, self.total - self.unreadable)
