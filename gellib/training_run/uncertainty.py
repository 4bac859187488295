"""How far the predictions of a run can be trusted: uncertainty, and images unlike all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gellib.data import ImageSet
from gellib.data.imageset import CV, name_labels
from gellib.evaluation import (
    PredictionSetRule,
    error_detection,
    fit_prediction_sets,
    group_numbers,
)
from gellib.models.explain import (
    MOST_REFERENCES,
    OutOfDistribution,
    Uncertainty,
    fit_out_of_distribution,
    uncertainty,
)
from gellib.models.features import FeatureStore
from gellib.models.training import TrainResult
from gellib.training_run.run_evaluation import RunEvaluation

MOST_OF_CLASS = 60


@dataclass(frozen=True)
class RunUncertainty:
    """What is uncertain about the scored images, and the detector of unlike ones (or None).

    `rule` says which classes an image may have, `sets` (n, C) which those of this run may have.
    `samples_are` says whose disagreement the mutual information measures.
    """

    uncertainty: Uncertainty
    right: np.ndarray
    rows: np.ndarray
    detector: OutOfDistribution | None
    unlike: dict[str, Any]
    rule: PredictionSetRule
    sets: np.ndarray
    classes: tuple[str, ...]
    samples_are: str = "dropout samples"

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """The measures of uncertainty of the scored images, by name."""
        found = {"entropy": self.uncertainty.entropy}
        if self.uncertainty.mutual_information is not None:
            found["mutual_information"] = self.uncertainty.mutual_information
        return found

    def columns(self, n: int) -> pd.DataFrame:
        """Return one column per measure for the table of predictions; scored images have values."""
        table = pd.DataFrame(index=range(n))
        for name, values in self.measures.items():
            table[name] = pd.Series(values, index=self.rows)
        table["set"] = name_labels(self.sets, self.classes)
        return table

    def record(self) -> dict[str, Any]:
        """What goes into the record: `uncertainty` and `out_of_distribution`."""
        found = {name: error_detection(v, self.right) for name, v in self.measures.items()}
        return {
            "uncertainty": {"samples": self.uncertainty.samples, "n": len(self.right), **found},
            "out_of_distribution": self.unlike,
            "prediction_sets": self._sets_record(),
        }

    def _sets_record(self) -> dict[str, Any]:
        sizes = self.sets[self.rows].sum(axis=1)
        by_class = zip(self.rule.thresholds, self.rule.groups, strict=True)
        return {
            "level": self.rule.level,
            "source": self.rule.source,
            "classes": {
                name: {"threshold": threshold, "groups": n}
                for name, (threshold, n) in zip(self.classes, by_class, strict=True)
            },
            "too_few": list(self.rule.unsupported(self.classes)),
            "n": len(self.rows),
            "single": int((sizes == 1).sum()),
            "empty": int((sizes == 0).sum()),
        }


def measure_uncertainty(
    images: ImageSet,
    result: TrainResult,
    evaluation: RunEvaluation,
    features: np.ndarray,
    store: FeatureStore,
    *,
    seed: int,
) -> RunUncertainty:
    """Measure the uncertainty of the scored images, and describe the training images.

    Those are the test images. Without a test part, they are all images, and the heads that the
    repeats of the cross-validation predicted an image with stand for the samples of dropout.

    Parameters
    ----------
    images
        All images of the run.
    result
        The trained backbone and head.
    evaluation
        The predictions of the images.
    features
        Features of unaugmented views (n, d), in the order of the images.
    store
        Cache of features; it also has the images' statistics.
    seed
        Seed of the dropout masks.
    """
    rows, what = np.flatnonzero(evaluation.scored_rows), "dropout samples"
    if evaluation.scored == "test" or evaluation.repeats is None:
        measured = uncertainty(
            result.head, features[rows], temperature=evaluation.temperature.value, seed=seed
        )
    else:
        measured = _of_repeats(evaluation.repeats[:, rows], evaluation)
        what = "repeats"
    table = evaluation.predictions
    right = (table["label"] == table["predicted"]).to_numpy()[rows]
    detector, unlike = _unlike(images, result, evaluation, features, store)
    rule = _fit_rule(images, evaluation)
    sets = rule.apply(evaluation.probabilities, exclusive=evaluation.task.exclusive)
    return RunUncertainty(
        measured, right, rows, detector, unlike, rule, sets, tuple(images.classes), what
    )


def _of_repeats(repeats: np.ndarray, evaluation: RunEvaluation) -> Uncertainty:
    """Measure the uncertainty of images (R, n, C) that R heads predicted out of fold."""
    entropy = evaluation.task.entropy
    total = entropy(repeats.mean(axis=0))
    if len(repeats) == 1:
        return Uncertainty(total, None, 0)
    inner = np.mean([entropy(own) for own in repeats], axis=0)
    return Uncertainty(total, np.maximum(total - inner, 0), len(repeats))


def _fit_rule(images: ImageSet, evaluation: RunEvaluation) -> PredictionSetRule:
    crossed = evaluation.repeats is not None
    rows = np.flatnonzero(evaluation.rows(CV if crossed else "val"))
    seen = evaluation.probabilities if evaluation.repeats is None else evaluation.repeats
    return fit_prediction_sets(
        evaluation.truth[rows],
        seen[..., rows, :],
        images.table["group"].to_numpy()[rows],
        source="out-of-fold" if crossed else "validation",
    )


def _unlike(
    images: ImageSet,
    result: TrainResult,
    evaluation: RunEvaluation,
    features: np.ndarray,
    store: FeatureStore,
) -> tuple[OutOfDistribution | None, dict[str, Any]]:
    labels = evaluation.truth if evaluation.truth.ndim == 1 else None
    splits = evaluation.predictions["split"].to_numpy()
    # Of a frozen network, the detector leaves out each image in turn by itself.
    held = ["test"] if result.backbone.frozen else ["val", "test"]
    known = [~np.isin(splits, held), *(splits == split for split in ("val", "test"))]
    known[1] &= ~known[0]
    chosen = [_evenly(np.flatnonzero(rows), labels) for rows in known]
    rows = np.concatenate(chosen)
    ends = np.cumsum([len(part) for part in chosen])
    train, val, test = np.split(np.arange(len(rows)), ends[:-1])
    statistics = store.statistics(images, rows.tolist(), result.backbone)
    groups = group_numbers(images.table["group"].to_numpy()[rows], len(rows))
    detector = fit_out_of_distribution(
        features[rows],
        statistics,
        train,
        val,
        labels=None if labels is None else labels[rows],
        groups=groups,
        frozen=result.backbone.frozen,
    )
    if detector is None:
        return None, {"reason": "fewer than 19 independent images, too few to set a threshold by"}
    found = {"rate": detector.rate, "n": detector.n}
    if len(test):
        given = None if labels is None else evaluation.probabilities[rows[test]].argmax(axis=1)
        flagged = detector.score(features[rows[test]], statistics[test], given) > 1
        found |= {"test_flagged": int(flagged.sum()), "n_test": len(test)}
    return detector, found


def _evenly(rows: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """Choose at most `MOST_REFERENCES`, or of each class `MOST_OF_CLASS` where that is more."""
    if len(rows) <= MOST_REFERENCES:
        return rows
    if labels is None:
        return _spread(rows, MOST_REFERENCES)
    classes = [rows[labels[rows] == number] for number in np.unique(labels[rows])]
    each = max(MOST_REFERENCES // len(classes), MOST_OF_CLASS)
    return np.sort(np.concatenate([_spread(of_class, each) for of_class in classes]))


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(int)]
