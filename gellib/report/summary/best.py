"""The figures of a sweep's best run, drawn from its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from gellib import plots
from gellib.base.paths import find_path
from gellib.evaluation import Task
from gellib.runs import Record, RunFolder


@dataclass(frozen=True)
class BestRun:
    """The run whose predictions a summary shows.

    Parameters
    ----------
    folder
        The folder of the run.
    record
        Its record.
    """

    folder: RunFolder
    record: Record

    def figures(self, task: Task) -> dict[str, Callable[[], Figure]]:
        """Return the functions that draw, by name; the task decides how scores are shown."""
        if task.exclusive:
            scores = {
                "best_confusion_matrix": self._confusion_matrix,
                "best_roc_curve": self._roc_curve,
            }
        else:
            scores = {"best_label_scores": self._label_scores}
        many_classes = len(self.record.data.classes) > 2
        curves = self._epochs != 1
        by_class = curves and many_classes and self.folder.class_history.is_file()
        return {
            **scores,
            **({"best_loss_accuracy": self._loss_accuracy} if curves else {}),
            **({"best_class_curves": self._class_curves} if by_class else {}),
            "best_demo_predictions": self._demo_predictions,
        }

    def pictures(self) -> dict[str, Callable[[], Figure]]:
        """Return the function that draws some predictions for the answer; none without images."""
        return {"best_pictures": self._pictures} if image_root(self.record).is_dir() else {}

    @property
    def _epochs(self) -> int:
        """How many epochs the history has; one of a solver that goes straight to the optimum."""
        try:
            return len(self.folder.read_history())
        except (OSError, ValueError):
            return 0

    @property
    def _best_epoch(self) -> int:
        return int(self.record.best_epoch or 0)

    @property
    def _images(self) -> str:
        return "test images" if self.record.scored_on == "test" else "images out of fold"

    def _loss_accuracy(self) -> Figure:
        return plots.loss_accuracy(self.folder.read_history(), self._best_epoch)

    def _class_curves(self) -> Figure:
        return plots.class_curves(self.folder.read_class_history(), self._best_epoch)

    def _label_scores(self) -> Figure:
        test = self.record.scores
        heading = self._images[0].upper() + self._images[1:]
        return plots.label_scores(test["per_class"], test["n"], heading=heading)

    def _confusion_matrix(self) -> Figure:
        test = self.record.scores
        heading = f"Confusion matrix, {test['n']} {self._images}"
        classes = self.record.data.classes
        return plots.confusion_matrix(test["confusion_matrix"], classes, title=heading)

    def _roc_curve(self) -> Figure:
        data = self.record.data
        predictions = self.folder.read_predictions()
        split = "test" if self.record.scored_on == "test" else "cv"
        test = predictions[predictions["split"] == split]
        classes = data.classes
        truth = test["label"].map(classes.index).to_numpy()
        probabilities = test[[f"p_{name}" for name in classes]].to_numpy(dtype=float)
        return plots.roc_curve(truth, probabilities, classes, data.positive)

    def _pictures(self) -> Figure:
        return self._demo_predictions(columns=3, limit=6)

    def _demo_predictions(self, **size: int) -> Figure:
        predictions, root = self.folder.read_predictions(), image_root(self.record)
        return plots.demo_predictions(predictions, root, where=self._images, **size)


def image_root(record: Record) -> Path:
    """Return the folder that a run's file names start from."""
    return find_path(record.data.root)
