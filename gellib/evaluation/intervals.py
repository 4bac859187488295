"""95 % intervals of the scores: how far they would move with other test images of the same kind.

Images of one group (one subject, one image saved twice) count as evidence once: shares and
counts are divided by the design effect (Kish 1965), variances are summed over groups. Which method
is used for which score was chosen by simulated coverage: `tests/benchmarks/coverage.py`. The BCa
bootstrap is there for means and for scores of any form; at 22 images of which one or none is wrong
it covers far less than it says, so shares, what is computed from the confusion matrix, and the ROC
area have methods of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from scipy.special import stdtrit

from gellib.evaluation.metric_functions import precision_recall_f1
from gellib.evaluation.registry import all_metrics, find_metric, label_metrics, table_metrics
from gellib.evaluation.resampling import (
    TAILS,
    Interval,
    Z,
    bca,
    draw_tables,
    group_numbers,
    interval_of_draws,
    roc_auc_interval,
    wilson,
)

_FEW_WRONG = 5  # fewer wrong predictions say little about the correlation within groups


def intervals(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    positive: str = "",
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """Compute the 95 % interval of each score that `evaluate` gives for the same arguments.

    Parameters
    ----------
    groups
        (n,) names; images of one name are not independent. Empty ones stand alone.
    seed
        Of the draws; the global random state is neither used nor changed.

    Returns
    -------
    dict
        `[low, high]` of `accuracy`, macro `precision`, `recall`, `f1`, `kappa`, `loss`, of two
        classes `sensitivity` and `specificity`, and `roc_auc`, as far as the images allow one.
    """
    sample = _Sample(y_true, probabilities, groups)
    table, effect = sample.table, sample.design_effect()
    rng = np.random.default_rng([seed, 1])
    of_draws = table_metrics(draw_tables(table / effect, rng))
    out: dict[str, Interval] = {}
    for name, value in table_metrics(table).items():
        if (own := find_metric(name, "single_label").interval) is not None:
            out[name] = own(float(value), table.sum() / effect)
        elif (found := interval_of_draws(float(value), of_draws[name])) is not None:
            out[name] = found
    if len(classes) == 2:
        place = list(classes).index(positive) if positive else len(classes) - 1
        for name, row in (("sensitivity", place), ("specificity", 1 - place)):
            if table[row].sum():
                out[name] = list(wilson(table[row, row] / effect, table[row].sum() / effect))
    if (area := sample.roc_auc(effect)) is not None:
        out["roc_auc"] = area
    out["loss"] = sample.mean_interval(sample.losses, rng)
    return out


def class_intervals(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> dict[str, dict[str, Interval]]:
    """Compute the intervals of precision, recall and f1 of each class that has images.

    Parameters
    ----------
    y_true
        (n,) class numbers.
    probabilities
        (n, C) rows that sum to one.
    classes
        C class names.
    groups
        (n,) names; images of one name are not independent. Empty ones stand alone.
    seed
        Of the draws; the global random state is neither used nor changed.
    """
    sample = _Sample(y_true, probabilities, groups)
    table = sample.table / sample.design_effect()
    drawn = draw_tables(table, np.random.default_rng([seed, 2]))
    right = np.diagonal(drawn, axis1=2, axis2=3)
    _, _, f1_drawn = precision_recall_f1(right, drawn.sum(axis=2), drawn.sum(axis=3))
    out: dict[str, dict[str, Interval]] = {}
    for i, name in enumerate(classes):
        row, column = table[i].sum(), table[:, i].sum()
        if not row:
            continue
        f1 = 2 * table[i, i] / (row + column)
        out[name] = {"recall": list(wilson(table[i, i], row))}
        if (found := interval_of_draws(f1, f1_drawn[..., i])) is not None:
            out[name]["f1"] = found
        if column:
            out[name]["precision"] = list(wilson(table[i, i], column))
    return out


def multilabel_intervals(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    thresholds: Sequence[float] | np.ndarray,
    *,
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> dict[str, Interval]:
    """Compute the 95 % intervals of the scores of images with several labels.

    By the BCa bootstrap over groups, since the labels of an image depend on each other; `roc_auc`
    by DeLong, and a metric that registers an interval by that. A score of 0 or 1 in every group
    has Wilson's interval for as many groups.

    Parameters
    ----------
    y_true, probabilities
        (n, C), as for `evaluate_multilabel`.
    thresholds
        C numbers; a label is given where its probability reaches its threshold.
    groups
        (n,) names; images of one name are not independent. Empty ones stand alone.
    seed
        Of the draws; the global random state is neither used nor changed.
    """
    truth, p = np.asarray(y_true, dtype=bool), np.asarray(probabilities, dtype=float)
    given = p >= np.asarray(thresholds)
    number = group_numbers(groups, len(truth))
    n_groups, n_classes = int(number.max()) + 1, truth.shape[1]
    images = np.bincount(number).astype(float)
    counts = np.zeros((n_groups, 3, n_classes))
    for place, part in enumerate((truth & given, given, truth)):
        np.add.at(counts[:, place], number, part)
    flat = counts.reshape(n_groups, -1)

    def total(w: np.ndarray) -> np.ndarray:
        return (w @ flat).reshape(-1, 3, n_classes)

    def share(values: np.ndarray, w: np.ndarray) -> np.ndarray:
        return (w @ values) / (w @ images)

    def counted(of_counts: Callable[[np.ndarray], np.ndarray], w: np.ndarray) -> np.ndarray:
        return of_counts(total(w))

    right = (truth == given).all(axis=1)
    effect = design_effect(~right, number)
    values = label_metrics(truth, given)
    scores: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    out: dict[str, Interval] = {}
    for metric in all_metrics("multilabel"):
        if metric.interval is not None:
            out[metric.name] = metric.interval(values[metric.name], len(truth) / effect)
        elif metric.of_counts is not None:
            scores[metric.name] = partial(counted, metric.of_counts)
        elif metric.of_images is not None:
            sums = np.bincount(number, metric.of_images(truth, given))
            scores[metric.name] = partial(share, sums)
    for name, score in scores.items():
        # The same resamples for each: a metric more leaves the intervals of the others as they are.
        if (found := bca(score, n_groups, np.random.default_rng([seed, 3]))) is None:
            continue
        if found[0] == found[1]:
            if values[name] not in (0.0, 1.0):
                continue
            found = list(wilson(values[name] * n_groups, n_groups))
        out[name] = found
    if (area := roc_auc_interval(truth, p, number, effect=effect)) is not None:
        out["roc_auc"] = area
    return out


def design_effect(wrong: np.ndarray, groups: np.ndarray) -> float:
    """How many images count as one: variance of the accuracy over groups, by that over images.

    Between 1 and Kish's value for groups whose images all get the same prediction; closer to Kish's
    value where too few predictions are wrong to estimate it.
    """
    size = np.bincount(groups)
    n, n_groups = len(wrong), len(size)
    if n_groups == n:
        return 1.0
    effect = most = (size**2).sum() / n
    share = wrong.mean()
    if 0 < share < 1 and n_groups > 1:
        excess = np.bincount(groups, wrong - share)
        variance = (excess**2).sum() * n_groups / (n_groups - 1) / n**2
        effect = np.clip(variance / (share * (1 - share) / n), 1.0, most)
        trust = min(1.0, wrong.sum() / effect / _FEW_WRONG)
        effect = effect**trust * most ** (1 - trust)
    # As for a mean of few groups: Student's quantile in place of the normal one.
    return float(effect * (stdtrit(max(n_groups - 1, 1), TAILS[1]) / Z) ** 2)


class _Sample:
    """Evaluated images: truth, probabilities, group numbers and the confusion matrix."""

    def __init__(
        self, y_true: np.ndarray, probabilities: np.ndarray, groups: Sequence[object] | None
    ) -> None:
        self.y = np.asarray(y_true, dtype=int)
        self.p = np.asarray(probabilities, dtype=float)
        self.groups = group_numbers(groups, len(self.y))
        self.predicted = self.p.argmax(axis=1)
        n_classes = self.p.shape[1]
        flat = np.bincount(self.y * n_classes + self.predicted, minlength=n_classes**2)
        self.table = flat.reshape(n_classes, n_classes).astype(float)
        self.losses = -np.log(np.clip(self.p[np.arange(len(self.y)), self.y], 1e-12, 1.0))

    def design_effect(self) -> float:
        return design_effect(self.y != self.predicted, self.groups)

    def roc_auc(self, effect: float) -> Interval | None:
        truth = np.eye(self.p.shape[1], dtype=bool)[self.y]
        if not truth.any(axis=0).all():
            return None
        columns = [1] if self.p.shape[1] == 2 else slice(None)
        return roc_auc_interval(truth[:, columns], self.p[:, columns], self.groups, effect=effect)

    def mean_interval(self, values: np.ndarray, rng: np.random.Generator) -> Interval:
        sums, size = np.bincount(self.groups, values), np.bincount(self.groups)
        found = bca(lambda w: (w @ sums) / (w @ size), len(size), rng)
        return found or [float(values.mean())] * 2
