"""Metrics of each split and the table of predictions, from the probabilities of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gellib.data import ImageSet
from gellib.data.imageset import CV, name_labels
from gellib.evaluation import Task, fit_temperature
from gellib.evaluation.crossval import score_interval
from gellib.models.training import CrossValidation
from gellib.training_run.run_evaluation import RunEvaluation


def evaluate_run(
    images: ImageSet,
    probabilities: np.ndarray,
    *,
    seed: int = 0,
    crossed: CrossValidation | None = None,
) -> RunEvaluation:
    """Score the probabilities of all images of a set, in its order, against their labels.

    First they are calibrated, with a temperature chosen on the validation images; the most probable
    class stays. In a multi-label task, the thresholds are those that suit the validation
    images. The scores of validation and test images have `intervals`; those of the
    training images show nothing about other images, and have none.

    In a cross-validation, temperature and thresholds are chosen on the out-of-fold predictions of
    all images, which also stand for the validation images.

    Parameters
    ----------
    images
        The images, split.
    probabilities
        (n, C) of the final head.
    seed
        Seed of the intervals.
    crossed
        The cross-validation; None for a holdout.
    """
    task, classes, splits = images.task, list(images.classes), images.table["split"].to_numpy()
    truth, raw, repeats = images.targets(), probabilities, None
    tuned = splits == ("val" if crossed is None else CV)
    if crossed is None:
        temperature = fit_temperature(truth[tuned], raw[tuned])
        trained = probabilities = task.apply_temperature(raw, temperature.value)
    else:
        temperature = fit_temperature(truth[tuned], crossed.probabilities[:, tuned])
        trained = task.apply_temperature(raw, temperature.value)
        repeats = np.full_like(crossed.probabilities, np.nan)
        for own, given in zip(repeats, crossed.probabilities, strict=True):
            own[tuned] = task.apply_temperature(given[tuned], temperature.value)
        # Each image out of fold; those of a given test part by the final head.
        probabilities = np.where(tuned[:, None], repeats.mean(axis=0), trained)
        raw = np.where(tuned[:, None], crossed.probabilities.mean(axis=0), raw)
    thresholds = task.tune_thresholds(truth[tuned], probabilities[tuned])
    cut = None if thresholds is None else thresholds.values
    groups = images.table["group"].to_numpy()
    options: dict[str, Any] = {"positive": images.positive, "thresholds": thresholds}
    metrics = {}
    parts = {
        "train": (splits == "train" if crossed is None else tuned, trained),
        "val": (tuned, probabilities),
        "test": (splits == "test", probabilities),
    }
    for split, (rows, own) in parts.items():
        if not rows.any():
            continue
        given = truth[rows], own[rows], classes
        metrics[split] = task.evaluate(*given, **options)
        if split != "train":
            metrics[split] |= task.intervals(*given, **options, groups=groups[rows], seed=seed)
    if crossed is not None and repeats is not None:
        scores = _score_repeats(task, truth[tuned], repeats[:, tuned], cut, classes)
        # Behind the images there may be those that are only trained on.
        numbers, own = crossed.folds.numbers[:, : len(tuned)][:, tuned], metrics["val"]
        found = score_interval(scores, numbers, groups[tuned])
        # Of one head per image, as the final model is one, and as configurations are compared by;
        # the other metrics are of the mean probabilities.
        own["repeats"], own[task.headline] = scores.mean(axis=1).tolist(), float(scores.mean())
        own["intervals"][task.headline] = [found.low, found.high]
    predictions = pd.DataFrame(
        {
            "file": images.table["file"].to_numpy(),
            "split": splits,
            # Models are compared over groups, where images are not independent of each other.
            **({"group": groups} if (groups != "").any() else {}),
            "label": images.label_texts(),
            "predicted": name_labels(task.decide(probabilities, cut), classes),
            **{f"p_{name}": probabilities[:, i] for i, name in enumerate(classes)},
        }
    )
    return RunEvaluation(
        task,
        metrics,
        predictions,
        truth,
        probabilities,
        raw,
        temperature,
        thresholds,
        repeats,
        None if crossed is None else crossed.folds,
    )


def _score_repeats(
    task: Task, truth: np.ndarray, repeats: np.ndarray, cut: np.ndarray | None, classes: list[str]
) -> np.ndarray:
    """Score the prediction of each image in each repeat (R, N), whose mean is the headline metric.

    Parameters
    ----------
    task
        Whether images have one label or several.
    truth
        Targets of the N images.
    repeats
        (R, N, C) probabilities out of fold.
    cut
        Thresholds of the labels; None where there are none.
    classes
        Names of the C classes.
    """
    labels = name_labels(task.memberships(truth, len(classes)), classes)
    given = [name_labels(task.decide(own, cut), classes) for own in repeats]
    return np.array([list(map(task.score_prediction, labels, own)) for own in given])
