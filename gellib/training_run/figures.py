"""The figures of a run, each saved where figures go and given back to be shown."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure

from gellib import plots
from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.evaluation import reliability, risk_coverage
from gellib.models.explain import ExplainError
from gellib.models.training import TrainResult
from gellib.runs import RunFolder
from gellib.training_run.evaluation import Judgement
from gellib.training_run.explanation import explain_some
from gellib.training_run.steps import limits_of
from gellib.training_run.uncertainty import Doubt

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".pdf", ".svg"}


class RunFigures:
    """What `Experiment` draws; its steps set what is drawn."""

    config: RunConfig
    folder: RunFolder
    timings: dict[str, float]
    device: torch.device
    metrics: dict[str, dict[str, Any]]
    _judged: Judgement
    _doubt: Doubt
    _classes: tuple[str, ...]
    _positive: str
    _root: Path

    def loss_accuracy(self, result: TrainResult) -> Figure:
        """Draw loss and accuracy by epoch; of early stopping, the epoch that was kept."""
        fig = plots.loss_accuracy(result.history, self._marked_epoch(result))
        return self._drawn("loss_accuracy", fig)

    def class_curves(self, result: TrainResult) -> Figure:
        """Draw precision, recall and F1 of each class by epoch."""
        fig = plots.class_curves(result.class_history, self._marked_epoch(result))
        return self._drawn("class_curves", fig)

    def learning_rate(self, result: TrainResult) -> Figure:
        """Draw the learning rate by step."""
        return self._drawn("learning_rate", plots.learning_rate(result.learning_rates))

    def confusion_matrix(self) -> Figure:
        """Draw the confusion matrix of the test images; of several labels, each class's scores."""
        test = self.metrics["test"]
        if self._judged.thresholds is not None:
            fig = plots.label_scores(
                test["per_class"],
                test["n"],
                heading="Test images",
                not_tuned=self._judged.not_tuned(),
            )
            return self._drawn("label_scores", fig)
        cm = test["confusion_matrix"]
        return self._drawn(
            "confusion_matrix", plots.confusion_matrix(cm, self._classes, title="Test images")
        )

    def roc_curve(self) -> Figure:
        """Draw the ROC curve of the test images."""
        judged, test = self._judged, self._judged.rows("test")
        fig = plots.roc_curve(
            judged.truth[test], judged.probabilities[test], self._classes, self._positive
        )
        return self._drawn("roc_curve", fig)

    def calibration(self) -> Figure:
        """Draw how sure the answers on the test images are against how often they are right."""
        judged, test = self._judged, self._judged.rows("test")
        truth = judged.truth[test]
        before, after = (reliability(truth, p[test]) for p in (judged.raw, judged.probabilities))
        fig = plots.reliability_diagram(before, after, judged.calibration())
        return self._drawn("calibration", fig)

    def risk_coverage(self) -> Figure:
        """Draw the accuracy on test images when the most uncertain are handed to a person."""
        doubt = self._doubt
        curves = {name: risk_coverage(v, doubt.right) for name, v in doubt.measures.items()}
        return self._drawn("risk_coverage", plots.risk_coverage(curves, doubt.record()))

    def explain(self, images: ImageSet, result: TrainResult) -> Figure:
        """Draw what the network looked at in some test images, mistakes first.

        Where that is not wanted or cannot be, the figure says so in words.
        """
        heading = "What the network looked at"
        if not self.config.explain:
            return plots.message("Not asked for: the parameter explain is off.", heading)
        started = time.perf_counter()
        try:
            found = explain_some(
                images, result, self._judged, limits_of(self.config), device=self.device
            )
        except ExplainError as err:
            return plots.message(str(err), heading)
        finally:
            self.timings["explain_s"] = time.perf_counter() - started
        if found is None:
            return plots.message("No test image has an answer to explain.", heading)
        labels = self._judged.predictions["label"].iloc[found.rows]
        pictures = zip(found.explanation.views, found.explanation.maps, strict=True)
        words = zip((self._classes[target] for target in found.targets), labels, strict=True)
        items = [
            plots.MapShown(*picture, *said, right)
            for picture, said, right in zip(pictures, words, found.right, strict=True)
        ]
        method = found.explanation.method
        return self._drawn("explanations", plots.explanations(items, method=method))

    def demo_predictions(self, predictions: pd.DataFrame) -> Figure:
        """Draw the test images with what was predicted for them."""
        return self._drawn("predictions", plots.demo_predictions(predictions, self._root))

    def _marked_epoch(self, result: TrainResult) -> int:
        # Without early stopping the last epoch is kept: nothing was chosen that a mark could show.
        return result.best_epoch if self.config.patience else 0

    def _drawn(self, name: str, fig: Figure) -> Figure:
        """Save a figure where figures go, and give it back to be shown."""
        given = self.config.plots_path
        if not given:
            path = self.folder.figures / f"{name}.png"
        elif Path(given).suffix.lower() in _IMAGE_SUFFIXES:
            # One file was named: it holds the curves, its neighbours the other figures.
            path = Path(given)
            if name != "loss_accuracy":
                path = path.with_name(f"{path.stem}-{name}{path.suffix}")
        else:
            path = Path(given) / f"{name}.png"
        plots.save(fig, path)
        return fig
