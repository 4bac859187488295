"""What the out-of-fold scores of a sweep show: verdicts, the corrected score, effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from gellib.evaluation import BETTER, NOT_ENOUGH, PRACTICALLY_SAME, WORSE, Effect, crossval
from gellib.evaluation.crossval import Corrected, ScoreInterval, Verdict
from gellib.report.comparison.differences import Question
from gellib.runs import Record
from gellib.runs.out_of_fold import OutOfFoldScores, read_sweep_out_of_fold

# Verdicts on all pairs of more models would take long and tell little.
MOST_COMPARED = 60
VERDICT_WORDS = {
    crossval.BETTER: BETTER,
    crossval.WORSE: WORSE,
    crossval.SAME: PRACTICALLY_SAME,
    crossval.UNCLEAR: NOT_ENOUGH,
}


class CrossValidated:
    """The cross-validated configurations of a sweep, compared on all images.

    Parameters
    ----------
    scores
        Scores out of fold.
    models
        `model_id` of each configuration of `scores`.
    chosen
        Number of the chosen one, by `rank_candidates`.
    margin
        Difference, 0..1, below which two configurations are practically the same.
    """

    def __init__(
        self, scores: OutOfFoldScores, models: Sequence[int], chosen: int, margin: float
    ) -> None:
        self.scores, self.models, self.margin = scores, list(models), margin
        self.chosen = chosen

    @classmethod
    def read(
        cls, folder: Path | None, records: Sequence[Record], done: pd.DataFrame, margin: float
    ) -> CrossValidated | None:
        """Read the scores of finished configurations; None where there are none.

        Configurations that were not evaluated in the same folds are not compared.

        Parameters
        ----------
        folder
            Folder of the sweep.
        records
            Its records.
        done
            Finished configurations, one row each, best first.
        margin
            As for the class.
        """
        found = None if folder is None else read_sweep_out_of_fold(folder, records)
        if found is None or not found.paired or done.empty:
            return None
        model_of = {
            name: int(i)
            for i, runs in zip(done["model_id"], done["runs"], strict=True)
            for name in runs
        }
        best = [int(i) for i in done["model_id"].head(MOST_COMPARED)]
        known = [model_of.get(name) for name in found.names]
        if best[0] not in known:
            return None
        kept = [known.index(i) for i in best if i in known]
        scores = replace(
            found,
            values=found.values[kept],
            names=tuple(found.names[k] for k in kept),
            losses=found.losses[kept],
        )
        return cls(scores, [int(known[k] or 0) for k in kept], best[0], margin)

    @property
    def images(self) -> int:
        """Images that were scored."""
        return self.verdicts_of.images if len(self.models) > 1 else self.corrected.images

    @property
    def groups(self) -> int:
        """Groups of images, which are what is independent."""
        return self.corrected.groups

    @property
    def repeats(self) -> int:
        """How often the folds were drawn anew, all seeds together."""
        return int(self.scores.values.shape[1])

    @property
    def folds(self) -> int:
        """Folds of each repeat."""
        return int(self.scores.folds.max()) + 1

    @cached_property
    def corrected(self) -> Corrected:
        """What the chosen configuration is worth, corrected for having been chosen."""
        s = self.scores
        return crossval.corrected_score(s.values, s.folds, s.groups, s.losses)

    def interval(self, model_id: int) -> ScoreInterval:
        """The score of one configuration, not corrected, with its interval."""
        values = self.scores.values[self.models.index(model_id)]
        return crossval.score_interval(values, self.scores.folds, self.scores.groups)

    @cached_property
    def verdicts_of(self) -> crossval.Verdicts:
        """Verdicts on all pairs."""
        s = self.scores
        return crossval.compare(
            s.values, s.folds, s.groups, self.margin, losses=s.losses, all_pairs=True
        )

    @cached_property
    def against(self) -> dict[int, Verdict]:
        """By `model_id`, the verdict on the chosen configuration (`a`) against each other one."""
        own = self.models.index(self.chosen)
        found = {}
        for verdict in self.verdicts_of.pairs if len(self.models) > 1 else ():
            if own in (verdict.a, verdict.b):
                turned = verdict if verdict.a == own else _turned(verdict)
                found[self.models[turned.b]] = turned
        return {model: found[model] for model in self.models if model in found}

    def against_scores(self, other: np.ndarray) -> Verdict | None:
        """Compare the chosen configuration with other scores (N,) or (R, N) on the same images."""
        s = self.scores
        own = s.values[self.models.index(self.chosen)]
        values = np.stack([own, np.broadcast_to(other, own.shape)])
        contrast = np.array([[1.0, -1.0]])
        try:
            return crossval.compare_contrasts(values, s.folds, s.groups, contrast, self.margin)[0]
        except ValueError:  # no image has both scores
            return None

    def differences(self, labels: Mapping[int, str]) -> list[Effect]:
        """Return the verdicts on the chosen configuration against each other one, as effects."""
        means = dict(zip(self.models, np.nanmean(self.scores.values, axis=(1, 2)), strict=True))
        return [
            _effect(
                Question("model", f"model {self.chosen}", labels[model], (self.chosen,), (model,)),
                verdict,
                means,
                self,
            )
            for model, verdict in self.against.items()
        ]

    def effects(self, questions: Sequence[Question]) -> list[Effect]:
        """Give verdicts on differences between levels of factors, all as one family."""
        asked = [q for q in questions if set(q.one) | set(q.two) <= set(self.models)]
        contrasts = np.zeros((len(asked), len(self.models)))
        for row, question in zip(contrasts, asked, strict=True):
            for sign, ids in ((1, question.one), (-1, question.two)):
                for model in ids:
                    row[self.models.index(model)] += sign / len(ids)
        s = self.scores
        found = crossval.compare_contrasts(s.values, s.folds, s.groups, contrasts, self.margin)
        means = dict(zip(self.models, np.nanmean(s.values, axis=(1, 2)), strict=True))
        return [
            _effect(question, verdict, means, self)
            for question, verdict in zip(asked, found, strict=True)
        ]


def _effect(
    question: Question, verdict: Verdict, means: Mapping[int, float], found: CrossValidated
) -> Effect:
    gaps = [means[a] - means[b] for a, b in zip(question.one, question.two, strict=True)]
    rounded = np.round(gaps, 9)
    unit = "images out of fold" if found.groups == found.images else "groups of images out of fold"
    return Effect(
        question.factor, question.a, question.b, verdict.difference, verdict.low, verdict.high,
        len(gaps), int((rounded > 0).sum()), int((rounded == 0).sum()), int((rounded < 0).sum()),
        found.repeats, found.images, unit, verdict.p, p_holm=verdict.p_adjusted,
        verdict=VERDICT_WORDS[verdict.verdict], images_needed=verdict.images_needed,
    )  # fmt: skip


def _turned(verdict: Verdict) -> Verdict:
    other = {crossval.BETTER: crossval.WORSE, crossval.WORSE: crossval.BETTER}
    return replace(
        verdict, a=verdict.b, b=verdict.a, difference=-verdict.difference, low=-verdict.high,
        high=-verdict.low, verdict=other.get(verdict.verdict, verdict.verdict),
    )  # fmt: skip
