"""The figures of a summary by class: confusion matrices, scores of classes, losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gellib import plots
from gellib.plots.sweep import model_labels
from gellib.plots.sweep.names import most
from gellib.report.comparison import Comparison
from gellib.runs import Record

_MOST_MATRICES = 12


@dataclass(frozen=True)
class ClassFigures:
    """The models of a sweep compared by class.

    Parameters
    ----------
    comparison
        The runs compared.
    classes
        Names of the classes.
    """

    comparison: Comparison
    classes: list[str]

    def figures(self) -> dict[str, Callable[[], Figure]]:
        """Return the functions that draw, by name; none where there is nothing to compare."""
        c, classes = self.comparison, self.classes
        found: dict[str, Callable[[], Figure]] = {}
        if c.task.exclusive and len(c.done) > 1:
            found["confusion_matrices"] = self._matrices
        if not c.listed and len(classes) < 3:
            return found
        return {
            **found,
            "classes_test": lambda: self._scores("test"),
            "classes_train": lambda: self._scores("train"),
            "losses": self._losses,
        }

    def _scores(self, split: str) -> Figure:
        rows, _ = most(self._shown())
        values = {}
        for metric in ("precision", "recall", "f1"):
            values[metric] = np.array(
                [
                    np.nanmean([self._row(run, split, metric) for run in runs], axis=0)
                    for runs in rows["runs"]
                ]
            )
        return plots.class_scores(model_labels(rows), values, self.classes, split)

    def _row(self, run: str, split: str, metric: str) -> list[float]:
        record = self._records[run]
        metrics = record.scores if split == "test" else record.metrics.get(split, {})
        per_class = metrics.get("per_class", {})
        return [per_class.get(name, {}).get(metric, np.nan) for name in self.classes]

    @property
    def _records(self) -> dict[str, Record]:
        return {record.name: record for record in self.comparison.records}

    def _shown(self) -> pd.DataFrame:
        models = self.comparison.models
        return models[models["status"] == "done"]

    def losses(self) -> pd.DataFrame:
        """Return the mean loss on the training and test images, by `model_id`."""
        rows = [
            {
                "model_id": record.config["model_id"],
                "train_loss": record.metrics.get("train", {}).get("loss", np.nan),
                "test_loss": record.scores.get("loss", np.nan),
            }
            for record in self.comparison.records
            if record.done
        ]
        columns = ["model_id", "train_loss", "test_loss"]
        return pd.DataFrame(rows, columns=columns).groupby("model_id").mean()

    def _losses(self) -> Figure:
        models = self._shown()
        return plots.losses(
            models.join(self.losses(), on="model_id").assign(name_shown=model_labels(models))
        )

    def _matrices(self) -> Figure:
        rows = self._shown()
        rows = rows[[isinstance(matrix, list) for matrix in rows["conf_mat"]]]
        listed = {run.model_id for run in self.comparison.listed}
        best = self.comparison.done["model_id"].tolist()
        # Listed runs come first; of a grid beside them, the best ones fill the rest.
        first = sorted(rows["model_id"], key=lambda i: (i not in listed, best.index(i)))
        shown = rows[rows["model_id"].isin(first[:_MOST_MATRICES])]
        return plots.confusion_matrices(
            shown["conf_mat"].tolist(),
            model_labels(shown),
            self.classes,
            len(rows) - len(shown),
            images=self.comparison.images_scored,
            summed=self.comparison.seeds > 1,
        )
