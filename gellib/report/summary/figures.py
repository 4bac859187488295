"""The figures of a summary: which of them a sweep has, and how each is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gellib import plots
from gellib.plots.extrapolated import more_images
from gellib.plots.sweep import TIMES, metrics_of, model_labels
from gellib.plots.sweep.names import most
from gellib.report.comparison import Comparison, words
from gellib.report.comparison.differences import MOST_LEVELS
from gellib.report.summary.best import BestRun
from gellib.runs import Record, RunFolder

if TYPE_CHECKING:
    from gellib.training_run.more_images import MoreImages

# A history is one file per run; beyond this many only the best by validation are read.
_MOST_HISTORIES = 500
_MOST_MATRICES = 12
NO_BEST = "No run has finished, so there is no best model."


class Figures:
    """Every figure of a sweep by name, in sections.

    Parameters
    ----------
    comparison
        The runs compared.
    folder
        Folder of the sweep.
    best
        The run whose predictions are shown; None when no run has finished.
    more_images
        Returns what more images would give the best run; None where it is not known.
    """

    def __init__(
        self,
        comparison: Comparison,
        folder: Path,
        best: RunFolder | None,
        *,
        more_images: Callable[[], MoreImages | None] = lambda: None,
    ) -> None:
        self._more_images = more_images
        self.comparison, self.folder = comparison, folder
        self.task = comparison.task
        record = best.read_record() if best is not None else None
        self._best_run = BestRun(best, record) if best is not None and record is not None else None

    def sections(self) -> dict[str, dict[str, Callable[[], Figure]]]:
        """Return the functions that draw, by section and name, in the order of the notebook."""
        c, table, repeats = self.comparison, self.comparison.models, self.comparison.repeats
        grid = c.of_grid(repeats)
        factors = [
            name for name in c.factors if 0 < grid[name].nunique(dropna=False) <= 2 * MOST_LEVELS
        ]
        metrics = metrics_of(table)
        word = self.task.headline_words
        return {
            "models": {
                **{metric: partial(self._bars, metric) for metric in metrics},
                "heatmap": lambda: plots.metrics_heatmap(table),
            },
            "comparison": {
                "ranking": self._ranking,
                "effects": self._effects,
            },
            "factors": {
                f"accuracy_by_{factor}": partial(plots.accuracy_by, grid, factor)
                for factor in factors
            },
            "times": {
                **{time: partial(plots.time_by_architecture, repeats, time) for time in TIMES},
                "pareto": lambda: plots.pareto(table, c.score, word),
            },
            "search": self._search(),
            "listed": self._listed(),
            "best": self._best(),
            "next": self._next(),
        }

    def _next(self) -> dict[str, Callable[[], Figure]]:
        found, word = self._more_images(), self.task.headline_words
        if found is None:
            return {}
        return {
            "more_images": lambda: more_images(found.sizes, found.means, found.expected(), word)
        }

    def _bars(self, metric: str) -> Figure:
        c = self.comparison
        # The baselines are scored as models are compared; of other metrics they have none.
        references = c.baselines.means if metric == c.score else {}
        return plots.metric_bars(c.models, metric, references=references)

    def _ranking(self) -> Figure:
        c = self.comparison
        if c.cross_validated is not None:
            return self._against_chosen()
        if c.indistinguishable is None:
            return plots.ranking(c.models, {}, c.score)
        ids = [int(name) for name in c.indistinguishable.names]
        tied = dict(zip(ids, c.indistinguishable.tied.tolist(), strict=True))
        return plots.ranking(c.models, tied, c.score, chosen=int(c.done["model_id"].iloc[0]))

    def _against_chosen(self) -> Figure:
        c = self.comparison
        assert c.cross_validated is not None
        labels = dict(zip(c.models["model_id"], model_labels(c.models), strict=True))
        found = c.cross_validated.differences(labels)
        return plots.effects(
            found, {}, heading="The chosen model against each other one", score=self._score(),
            margin=c.margin, adjusted="adjusted for all pairs;", longest=44,
        )  # fmt: skip

    def _effects(self) -> Figure:
        c, named = self.comparison, {f: words(f) for f in self.comparison.factors}
        if c.cross_validated is None:
            return plots.effects(c.effects, named)
        return plots.effects(
            c.effects, named, score=self._score(), margin=c.margin, adjusted="adjusted for"
        )

    def _score(self) -> str:
        return f"out-of-fold {self.task.headline_words}"

    def _search(self) -> dict[str, Callable[[], Figure]]:
        c = self.comparison
        if not {"batch_size", "learning_rate"} <= set(c.factors) or c.of_grid(c.table).empty:
            return {}
        return {
            "search_3d": lambda: plots.search_3d(self._lowest()),
            "search_heatmap": lambda: plots.search_heatmap(self._lowest()),
        }

    def _lowest(self) -> pd.DataFrame:
        """Add the lowest validation loss of every run, from its epochs."""
        done = self.comparison.of_grid(self.comparison.table)
        done = done[done["status"] == "done"].sort_values("val_loss", kind="stable")
        done = done.head(_MOST_HISTORIES).sort_index()
        return done.assign(
            min_val_loss=[
                self._min_loss(name, loss)
                for name, loss in zip(done["name"], done["val_loss"], strict=True)
            ]
        )

    def _min_loss(self, name: str, val_loss: float) -> float:
        """Lowest validation loss of a run's epochs; `val_loss` where its history is missing."""
        try:
            history = RunFolder(self.folder / name).read_history()
            return float(history["val_loss"].min())
        except (OSError, KeyError, ValueError):
            return float(val_loss)

    def _listed(self) -> dict[str, Callable[[], Figure]]:
        c = self.comparison
        classes = self._best_run.record.data.classes if self._best_run else []
        if not c.listed and len(classes) < 3:
            return {}
        found: dict[str, Callable[[], Figure]] = {
            "classes_test": lambda: self._class_scores("test", classes),
            "classes_train": lambda: self._class_scores("train", classes),
            "losses": self._losses,
        }
        if self.task.exclusive:
            found["confusion_matrices"] = lambda: self._matrices(classes)
        return found

    def _class_scores(self, split: str, classes: list[str]) -> Figure:
        rows, _ = most(self._shown())
        values = {}
        for metric in ("precision", "recall", "f1"):
            values[metric] = np.array(
                [
                    np.nanmean(
                        [self._class_row(run, split, metric, classes) for run in runs], axis=0
                    )
                    for runs in rows["runs"]
                ]
            )
        return plots.class_scores(model_labels(rows), values, classes, split)

    def _class_row(self, run: str, split: str, metric: str, classes: list[str]) -> list[float]:
        record = self._records[run]
        metrics = record.scores if split == "test" else record.metrics.get(split, {})
        per_class = metrics.get("per_class", {})
        return [per_class.get(name, {}).get(metric, np.nan) for name in classes]

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

    def _matrices(self, classes: list[str]) -> Figure:
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
            classes,
            len(rows) - len(shown),
            images=self.comparison.images_scored,
        )

    def _best(self) -> dict[str, Callable[[], Figure]]:
        if self._best_run is not None:
            return self._best_run.figures(self.task)
        scores = ["confusion_matrix", "roc_curve"] if self.task.exclusive else ["label_scores"]
        # The notebook asks for these names also when no run has finished.
        return {
            f"best_{name}": partial(plots.message, NO_BEST)
            for name in (*scores, "loss_accuracy", "demo_predictions")
        }
