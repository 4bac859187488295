"""The figures of a summary: which of them a sweep has, and how each is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from gellib import plots
from gellib.plots.extrapolated import more_images
from gellib.plots.sweep import TIMES, metrics_of, model_labels
from gellib.report.comparison import Comparison, parameter_label
from gellib.report.comparison.differences import MOST_LEVELS
from gellib.report.summary.best import BestRun
from gellib.report.summary.class_figures import ClassFigures
from gellib.runs import RunFolder

if TYPE_CHECKING:
    from gellib.training_run.more_images import MoreImages

# A history is one file per run; beyond this many only the best by validation are read.
_MOST_HISTORIES = 500
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
        self._by_class = ClassFigures(comparison, record.data.classes if record else [])

    def sections(self) -> dict[str, dict[str, Callable[[], Figure]]]:
        """Return the functions that draw, by section and name, in the order of the notebook."""
        c, table, repeats = self.comparison, self.comparison.models, self.comparison.repeats
        return {
            "answer": self._best_run.pictures() if self._best_run is not None else {},
            "models": {
                "metrics": self._panels,
                **{metric: partial(self._bars, metric) for metric in metrics_of(table)},
                "heatmap": lambda: plots.metrics_heatmap(table),
            },
            "comparison": self._compared(),
            "factors": {
                f"accuracy_by_{factor}": partial(plots.accuracy_by, c.of_grid(repeats), factor)
                for factor in self._factors()
            },
            "times": self._times(),
            "search": self._search(),
            "listed": self._by_class.figures(),
            "best": self._best(),
            "next": self._next(),
        }

    def kept_only(self) -> set[str]:
        """Name the figures that are files alone, one per metric.

        The notebook has the main metrics as panels of one figure, and all in its table.
        """
        return set(metrics_of(self.comparison.models))

    def _factors(self) -> list[str]:
        """Name the factors with a figure: of one with a single value left there is none."""
        grid = self.comparison.of_grid(self.comparison.repeats)
        done = grid[grid["status"] == "done"]
        return [
            name
            for name in self.comparison.factors
            if done[name].nunique(dropna=False) > 1
            and grid[name].nunique(dropna=False) <= 2 * MOST_LEVELS
        ]

    def _compared(self) -> dict[str, Callable[[], Figure]]:
        c = self.comparison
        several = len(c.done) > 1
        return {
            **({"tied_models": self._tied_models} if several else {}),
            **({"effects": self._effects} if c.effects else {}),
        }

    def _times(self) -> dict[str, Callable[[], Figure]]:
        c, word = self.comparison, self.task.headline_words
        done = c.repeats[c.repeats["status"] == "done"]
        found: dict[str, Callable[[], Figure]] = {}
        if done["pretrained_model"].nunique() > 1:
            draw = plots.time_by_architecture
            found |= {time: partial(draw, c.repeats, time) for time in TIMES}
        if len(c.done) > 1:
            found["pareto"] = lambda: plots.pareto(c.models, c.score, word)
        return found

    def _panels(self) -> Figure:
        done = self.comparison.done
        chosen = None if done.empty else int(done["model_id"].iloc[0])
        return plots.metric_panels(self.comparison.models, chosen=chosen)

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

    def _tied_models(self) -> Figure:
        c = self.comparison
        if c.cross_validated is not None:
            return self._against_chosen()
        if c.indistinguishable is None:
            return plots.tied_models(c.models, {}, c.score)
        ids = [int(name) for name in c.indistinguishable.names]
        tied = dict(zip(ids, c.indistinguishable.tied.tolist(), strict=True))
        return plots.tied_models(c.models, tied, c.score, chosen=int(c.done["model_id"].iloc[0]))

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
        c, named = self.comparison, {f: parameter_label(f) for f in self.comparison.factors}
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

    def losses(self) -> pd.DataFrame:
        """Return the mean loss on the training and test images, by `model_id`."""
        return self._by_class.losses()

    def _best(self) -> dict[str, Callable[[], Figure]]:
        if self._best_run is not None:
            return self._best_run.figures(self.task)
        scores = ["confusion_matrix", "roc_curve"] if self.task.exclusive else ["label_scores"]
        # The notebook asks for these names also when no run has finished.
        return {
            f"best_{name}": partial(plots.message, NO_BEST)
            for name in (*scores, "loss_accuracy", "demo_predictions")
        }
