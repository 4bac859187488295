"""The figures of a run, each saved where figures go and given back to be shown."""

from __future__ import annotations

import time
from pathlib import Path

from matplotlib.figure import Figure

from gellib import plots
from gellib.base.paths import expand_user
from gellib.evaluation import reliability, risk_coverage
from gellib.models.explain import ExplainError
from gellib.models.training import TrainResult
from gellib.training_run.explanation import explain_some
from gellib.training_run.state import RunState

_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".pdf", ".svg"}


class RunFigures(RunState):
    """What `TrainingRun` draws of its steps."""

    def loss_accuracy(self) -> Figure:
        """Draw loss and accuracy by epoch; of early stopping, the epoch that was kept."""
        result = self._need_result("loss_accuracy")
        marked, name = self._marked_epoch(result), self._val_name(result)
        fig = plots.loss_accuracy(result.history, marked, val_name=name)
        return self._drawn("loss_accuracy", fig)

    def class_curves(self) -> Figure:
        """Draw precision, recall and F1 of each class by epoch."""
        result = self._need_result("class_curves")
        marked, name = self._marked_epoch(result), self._val_name(result)
        fig = plots.class_curves(result.class_history, marked, val_name=name)
        return self._drawn("class_curves", fig)

    def learning_rate(self) -> Figure:
        """Draw the learning rate by step."""
        result = self._need_result("learning_rate")
        return self._drawn("learning_rate", plots.learning_rate(result.learning_rates))

    def confusion_matrix(self) -> Figure:
        """Draw the confusion matrix of the scored images; multi-label: scores by class."""
        evaluation, _, _ = self._need_evaluation("confusion_matrix")
        test = evaluation.scores
        heading = evaluation.scored_images[0].upper() + evaluation.scored_images[1:]
        if not evaluation.task.exclusive:
            fig = plots.label_scores(
                test["per_class"],
                test["n"],
                heading=heading,
                not_tuned=evaluation.not_tuned(),
            )
            return self._drawn("label_scores", fig)
        cm = test["confusion_matrix"]
        return self._drawn(
            "confusion_matrix", plots.confusion_matrix(cm, self.images.classes, title=heading)
        )

    def roc_curve(self) -> Figure:
        """Draw the ROC curve of the scored images."""
        evaluation, _, _ = self._need_evaluation("roc_curve")
        own, images = evaluation.scored_rows, self.images
        fig = plots.roc_curve(
            evaluation.truth[own],
            evaluation.probabilities[own],
            images.classes,
            images.positive,
            where="" if evaluation.scored == "test" else evaluation.scored_images,
        )
        return self._drawn("roc_curve", fig)

    def calibration(self) -> Figure:
        """Draw how sure the predictions are against how often they are right."""
        evaluation, _, _ = self._need_evaluation("calibration")
        own = evaluation.scored_rows
        truth = evaluation.truth[own]
        before = reliability(truth, evaluation.raw[own])
        after = reliability(truth, evaluation.probabilities[own])
        fig = plots.reliability_diagram(
            before,
            after,
            evaluation.calibration(),
            where=evaluation.scored_images,
            tuned_on="validation images" if evaluation.folds is None else "images out of fold",
        )
        return self._drawn("calibration", fig)

    def risk_coverage(self) -> Figure:
        """Draw the accuracy on scored images when the most uncertain are deferred to a person."""
        evaluation, uncertainty, _ = self._need_evaluation("risk_coverage")
        measures, right = uncertainty.measures, uncertainty.right
        curves = {name: risk_coverage(values, right) for name, values in measures.items()}
        fig = plots.risk_coverage(
            curves,
            uncertainty.record(),
            where=evaluation.scored_images,
            samples=uncertainty.samples_are,
        )
        return self._drawn("risk_coverage", fig)

    def explain(self) -> Figure:
        """Draw the regions that some scored images were predicted by, mistakes first.

        Where that is not wanted or not possible, the figure is a message.
        """
        evaluation, _, predictions = self._need_evaluation("explain")
        heading = "What the network looked at"
        if not self.config.explain:
            return plots.message("Not asked for: the parameter explain is off.", heading)
        started = time.perf_counter()
        try:
            found = explain_some(self.images, self.result, evaluation, self.compute)
        except ExplainError as err:
            return plots.message(str(err), heading)
        finally:
            self.timings["explain_s"] = time.perf_counter() - started
        if found is None:
            return plots.message("No image has a prediction to explain.", heading)
        labels = predictions["label"].iloc[found.rows]
        images = zip(found.explanation.views, found.explanation.maps, strict=True)
        classes = self.images.classes
        words = zip((classes[target] for target in found.targets), labels, strict=True)
        items = [
            plots.MapShown(*image, *said, right)
            for image, said, right in zip(images, words, found.right, strict=True)
        ]
        method = found.explanation.method
        return self._drawn("explanations", plots.explanations(items, method=method))

    def demo_predictions(self) -> Figure:
        """Draw the scored images with what was predicted for them."""
        evaluation, _, predictions = self._need_evaluation("demo_predictions")
        root, where = self.images.root, evaluation.scored_images
        return self._drawn("predictions", plots.demo_predictions(predictions, root, where=where))

    def _marked_epoch(self, result: TrainResult) -> int:
        # Without early stopping the last epoch is kept: nothing was chosen that a mark could show.
        return result.best_epoch if self.config.patience else 0

    def _val_name(self, result: TrainResult) -> str:
        return "validation" if result.cross_validation is None else "out of fold, mean"

    def _drawn(self, name: str, fig: Figure) -> Figure:
        """Save a figure where figures go, and give it back to be shown; a message is only shown."""
        if isinstance(fig, plots.Message):
            return fig
        given = self.config.plots_path
        if not given:
            path = self.folder.figures / f"{name}.png"
        elif Path(given).suffix.lower() in _IMAGE_SUFFIXES:
            # One file was named: it holds the curves, its neighbours the other figures.
            path = expand_user(given)
            if name != "loss_accuracy":
                path = path.with_name(f"{path.stem}-{name}{path.suffix}")
        else:
            path = expand_user(given) / f"{name}.png"
        plots.save(fig, path)
        return fig
