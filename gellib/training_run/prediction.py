"""The prediction of one image, and what can be said of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gellib.evaluation import NONE_OF_THESE, Task, set_text, task_of_labels
from gellib.evaluation.active_learning import label_uncertainty

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Prediction:
    """The prediction of one image by one run; `error` is why there is none.

    A run of a multi-label task has `thresholds`: the labels are those whose
    probability reaches its threshold, and `label` joins them by `|`. `members` are the classes of
    its prediction set; None where the model has no rule for it. `ood_score` compares it with the
    training images of its class, `unlike_all` with those of every class. `trained_on` says that the
    model was trained on this very image: what it says of it is no test.
    """

    file: str
    label: str = ""
    probabilities: dict[str, float] = field(default_factory=dict)
    run: str = ""
    error: str = ""
    thresholds: dict[str, float] = field(default_factory=dict)
    ood_score: float | None = None
    unlike_all: bool = False
    members: tuple[str, ...] | None = None
    trained_on: bool = False

    @property
    def ood(self) -> bool:
        """Whether the image is unlike the training images of the class that it is given."""
        return self.ood_score is not None and self.ood_score > 1

    @property
    def statement(self) -> str:
        """What can be said, such as `gel or not_gel: cannot say`: docs/predict.md lists all.

        Where the model has no prediction sets, the label.
        """
        if self.error or self.members is None:
            return self.label
        if self.unlike_all:
            return NONE_OF_THESE
        if self.ood:
            return f"{self.label}, but unlike its training images: cannot say"
        return set_text(self.label, self.members, exclusive=self.task.exclusive)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the image gets: one, or those that reach their threshold."""
        if self.task.exclusive:
            return (self.label,) if self.label else ()
        # From the probabilities: a class may be called `a|b`.
        shares = self.probabilities.items()
        return tuple(name for name, share in shares if share >= self.thresholds[name])

    @property
    def task(self) -> Task:
        """Whether the task is single-label or multi-label."""
        return task_of_labels(bool(self.thresholds))

    @property
    def decided(self) -> bool:
        """Whether the labels can be said: no others are possible, and the image is not unlike."""
        if self.error or self.ood:
            return False
        return self.members is None or {*self.members} == {*self.labels}

    @property
    def uncertainty(self) -> float:
        """How uncertain the label is, 0 (certain) to 1; NaN where there is no prediction."""
        if self.error:
            return float("nan")
        shares = np.array([[*self.probabilities.values()]])
        return float(label_uncertainty(shares, exclusive=self.task.exclusive)[0])

    def to_row(self, classes: Iterable[str]) -> dict[str, Any]:
        """Return a row of a table of predictions, by the names of its columns.

        `unlike_training` is None where it is not known: the file cannot be read, or the model does
        not know what it was trained on.
        """
        shares = {f"p_{name}": self.probabilities.get(name, float("nan")) for name in classes}
        return {
            "file": self.file,
            "label": self.label,
            **shares,
            "statement": self.statement,
            "unlike_training": None if self.ood_score is None else self.ood,
            "training_image": self.trained_on,
            "error": self.error,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return `file, label, probabilities, run`, or `file, error`.

        In a multi-label task also `labels` and `thresholds`; where the model has prediction sets,
        `set` and `statement`; where it knows what it was trained on, `ood` and `ood_score`, above 1
        for an image unlike the training images of its class; `training_image` where it is one.
        """
        if self.error:
            return {"file": self.file, "error": self.error}
        more = (
            {} if self.task.exclusive else {"labels": [*self.labels], "thresholds": self.thresholds}
        )
        return {
            "file": self.file,
            "label": self.label,
            "probabilities": self.probabilities,
            "run": self.run,
            **more,
            **({} if self.members is None else {"set": [*self.members]}),
            **({} if self.members is None else {"statement": self.statement}),
            **({} if self.ood_score is None else {"ood": self.ood, "ood_score": self.ood_score}),
            **({"training_image": True} if self.trained_on else {}),
        }


def predictions_table(predictions: Sequence[Prediction], classes: Sequence[str]) -> pd.DataFrame:
    """Write predictions as a table, one row per image; `p_<class>` are probabilities, 0..1."""
    import pandas as pd

    rows = [one.to_row(classes) for one in predictions]
    table = pd.DataFrame(rows, columns=[*Prediction("").to_row(classes)])
    # With missing values, as where an image cannot be read.
    return table.astype({"unlike_training": "boolean"})
