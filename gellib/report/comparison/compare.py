"""The comparison of a sweep's runs, each result computed once: `Comparison`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gellib.evaluation import Effect, ImageScores, Indistinguishable, optimism
from gellib.evaluation.crossval import MARGIN
from gellib.report.comparison.configurations import (
    add_wilson,
    configurations,
    model_names,
    pool_folds,
)  # fmt: skip
from gellib.report.comparison.cross_validated import CrossValidated
from gellib.report.comparison.differences import (
    find_factors,
    holdout_effects,
    questions,
)  # fmt: skip
from gellib.report.comparison.held_out import find_ties, p_against, scores_by_model
from gellib.report.comparison.listed_runs import read_listed_runs
from gellib.report.comparison.reference import BaselineScores, score_baselines, score_out_of_fold
from gellib.report.comparison.tested_images import split_ratio, tested_on_same_images
from gellib.runs import (
    Record,
    SweepFolder,
    SweepPredictions,
    in_order,
    read_sweep_predictions,
    tabulate,
    task_of,
)
from gellib.runs.record_sections import DataRecord


class Comparison:
    """The runs of a sweep compared: configurations, factors, ties, baselines.

    Parameters
    ----------
    table
        One row per run.
    folder
        Folder of the sweep; without it there are no folds to pool, and no baselines.
    info
        The content of `sweep.json`.
    records
        Records of the runs, in the rows of `table`.
    predictions
        Scores of the runs on single test images.

    Attributes
    ----------
    table
        One row per run, as the sweep's folder has it.
    repeats
        One row per configuration and seed; folds are pooled.
    models
        One row per configuration; seeds are averaged. `label` says what varies.
    factors
        Names of the parameters that the sweep varies; of a grid beside a list, those of the grid.
    listed
        The listed runs of the sweep file.
    scores
        Scores of the repeats on single test images; None where they are not known.
    task
        Whether images have one label or several.
    score
        The column by which runs are compared: the headline metric of the task.
    margin
        Difference of scores, 0..1, below which configurations are practically the same.
    methods
        How the finished runs were evaluated: `cv`, `holdout`, or both.
    comparable
        Whether all scores are of test images, or all of out-of-fold predictions.
    out_of_fold
        Whether scores are of out-of-fold predictions, because there are no test images.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        *,
        folder: Path | None = None,
        info: dict[str, Any] | None = None,
        records: Sequence[Record] = (),
        predictions: SweepPredictions | None = None,
    ) -> None:
        self.table, self.info, self.records = table, info or {}, records
        self.predictions = predictions or SweepPredictions(None)
        self.folder = folder
        self.listed = read_listed_runs(self.info)
        self.in_grid = ~table["model_id"].isin([run.model_id for run in self.listed])
        self.factors = find_factors(table, records, self.in_grid, bool(self.listed))
        self.task = task_of(table)
        self.margin = float(self.info.get("margin", MARGIN))
        self.methods = {record.evaluation.method for record in records if record.done}
        self.score = self.task.headline
        scored_on = {record.scored_on for record in records if record.done}
        self.comparable, self.out_of_fold = len(scored_on) < 2, scored_on == {"out-of-fold"}
        data = next((r.data for r in records if r.done), DataRecord())
        self.repeats, members = pool_folds(table, folder or Path(), data.classes, data.positive)
        self.repeats = add_wilson(self.repeats)
        scores = self.predictions.scores
        readable = set() if scores is None else set(scores.names)
        known = {row: runs for row, runs in members.items() if readable.issuperset(runs)}
        self.scores = scores.pooled(known) if scores is not None and known else None
        self.ratio = split_ratio(records, self.scores)
        self.models = configurations(self.repeats, self.scores, self.ratio)
        # Figures and tables get a table alone, and say what its scores are of.
        said = {"adjective": self.adjective, "images": self.images_scored, "choice": self.choice}
        for rows in (self.models, self.repeats, self.table):
            rows.attrs.update(said)
        self.models["label"] = model_names(self.models, self.factors, self.listed)
        self.repeats["label"] = self.repeats["model_id"].map(
            self.models.set_index("model_id")["label"]
        )

    @classmethod
    def of(cls, sweep: SweepFolder) -> Comparison:
        """Compare the runs of a sweep's folder, reading every record once."""
        records = sweep.records()
        return cls(
            tabulate(records),
            folder=sweep.path,
            info=sweep.read_sweep(),
            records=records,
            predictions=read_sweep_predictions(sweep.path, records),
        )

    @cached_property
    def done(self) -> pd.DataFrame:
        """Finished configurations, best on the validation images first."""
        return in_order(self.models)

    @cached_property
    def seeds(self) -> int:
        """How many seeds the finished runs have."""
        return int(self.table.loc[self.table["status"] == "done", "seed"].nunique())

    @property
    def adjective(self) -> str:
        """What a score is called: `test` or `out-of-fold`."""
        return "out-of-fold" if self.out_of_fold else "test"

    @property
    def images_scored(self) -> str:
        """What scores are of: `test images` or `images out of fold`."""
        return "images out of fold" if self.out_of_fold else "test images"

    @property
    def choice(self) -> str:
        """By what a model is chosen: `validation` or `out-of-fold`."""
        return "out-of-fold" if self.methods == {"cv"} else "validation"

    @cached_property
    def n_test(self) -> int:
        """Test images of a finished configuration, the folds together."""
        return 0 if self.done.empty else int(self.done["n_test"].iloc[0])

    def of_grid(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Keep the rows of the grid, whose factors are compared; all where no runs are listed."""
        kept = set(self.table.loc[self.in_grid, "model_id"]) if self.listed else None
        return rows if kept is None else rows[rows["model_id"].isin(kept)]

    @cached_property
    def same_images(self) -> bool:
        """Whether the configurations were tested on the same images, seed by seed."""
        if not self.comparable:
            return False
        return tested_on_same_images(self._finished, self.scores)

    @cached_property
    def _finished(self) -> pd.DataFrame:
        return self.repeats[self.repeats["status"] == "done"]

    @cached_property
    def cross_validated(self) -> CrossValidated | None:
        """Out-of-fold scores of the configurations; None where not all were cross-validated."""
        if self.methods != {"cv"}:
            return None
        return CrossValidated.read(self.folder, self.records, self.done, self.margin)

    @cached_property
    def effects(self) -> list[Effect]:
        """Effects of the factors; of listed runs, each against the one that it builds on."""
        if not self.comparable:
            return []
        if self.cross_validated is not None:
            asked = questions(self.of_grid(self.done), self.done, self.factors, self.listed)
            return self.cross_validated.effects(asked)
        return holdout_effects(
            self.of_grid(self._finished),
            self._finished,
            self.factors,
            self.listed,
            score=self.score,
            scores=self.scores,
            ratio=self.ratio,
        )

    @cached_property
    def model_scores(self) -> ImageScores | None:
        """Scores of the configurations on the test images that all of them have."""
        if self.scores is None or not self.same_images:
            return None
        return scores_by_model(self.scores, self.done)

    @cached_property
    def indistinguishable(self) -> Indistinguishable | None:
        """Configurations by test score, and which cannot be distinguished from the highest.

        With several seeds, a configuration counts as worse only if that holds for other images and
        for other seeds. None where it cannot be tested.
        """
        if self.model_scores is None or self.scores is None or len(self.model_scores.names) < 2:
            return None
        return find_ties(self.model_scores, self.scores, self._finished, self.ratio)

    @cached_property
    def optimism(self) -> float | None:
        """How much the highest test score is expected to overstate itself, 0..1."""
        if self.model_scores is None or len(self.model_scores.names) < 2:
            return None
        return optimism(self.model_scores)

    def against(self, model_id: int, other: np.ndarray) -> float | None:
        """p-value of a configuration against other scores on the same images, as `baselines` has.

        None where the scores of single images are not known.
        """
        runs = self.models.set_index("model_id")["runs"].get(model_id)
        if self.scores is None or not isinstance(runs, list):
            return None
        return p_against(self.scores, runs, other)

    @cached_property
    def baselines(self) -> BaselineScores:
        """Scores of the commonest class and of image statistics on the same test images."""
        if self.cross_validated is not None:
            return score_out_of_fold(self.folder, self.records, self.cross_validated.scores)
        return score_baselines(self.folder, self.records, self.predictions)
