"""Repeats of a configuration with several seeds: what images and seeds each add to an error.

A mean over seeds moves with the images that were tested and with the seeds. Where every seed tests
the same images, more seeds say nothing about other images; where each seed draws its own split,
its mean moves with the images already, and training sets overlap. The variance of a mean over
images and seeds is therefore that over the images, plus what the seeds differ by beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gellib.evaluation.paired import group_sums
from gellib.evaluation.power import variance_of_mean
from gellib.evaluation.resampling import Z


@dataclass(frozen=True)
class MeanError:
    """A mean over images and seeds with its standard error, and the degrees of freedom of that.

    `images` is the part of the variance that the images bring. `low` and `high` bound the mean at
    95 %; they are apart also where no image differs from another.
    """

    mean: float
    error: float
    freedom: float
    images: float
    low: float
    high: float

    def p_value(self) -> float:
        """Two-sided p-value that the mean is zero."""
        if self.error <= 0:
            return 1.0
        return float(2 * stats.t.sf(abs(self.mean) / self.error, self.freedom))


def mean_error(
    values: np.ndarray, groups: Sequence[object] | None = None, *, ratio: float = 0.0
) -> MeanError:
    """Return the mean of differences of scores over images and seeds, with its error.

    Parameters
    ----------
    values
        (images, seeds), -1..1; NaN where a seed did not test an image.
    groups
        The group of each image; images of a group count as evidence once.
    ratio
        Images tested per training image where each seed draws its own split, else 0. The training
        sets of such seeds overlap, so that their scores differ less than those of new training
        sets would (Nadeau and Bengio 2003).
    """
    tested = np.isfinite(values)
    rows, columns = tested.any(axis=1), tested.any(axis=0)
    values, tested = values[rows][:, columns], tested[rows][:, columns]
    groups = None if groups is None else np.asarray(groups, dtype=object)[rows]
    values, counts = np.where(tested, values, 0.0), tested.sum(axis=0)
    n, seeds = int(counts.sum()), len(counts)
    mean = float(values.sum() / n)
    units = len(values) if groups is None else len(set(groups))
    of_images = variance_of_mean(group_sums((values - mean * tested).sum(axis=1), groups), n)
    freedom, between = float(max(units - 1, 1)), 0.0
    if seeds > 1:
        means = values.sum(axis=0) / counts
        spread = means.var(ddof=1)
        beyond = max(0.0, spread - _spread_by_images(values, tested, counts, means, groups))
        share = 1 / seeds + ratio
        between = share * beyond
        freedom = _freedom([(of_images, freedom), (between, seeds - 1)], of_images + between)
    low, high = _interval(group_sums(values.sum(axis=1), groups), n, between, freedom)
    error = float(np.sqrt(of_images + between))
    return MeanError(mean, error, freedom, of_images, low, high)


def _interval(sums: np.ndarray, n: int, between: float, freedom: float) -> tuple[float, float]:
    """Bound a mean difference at 95 %, with two more images that differ (Bonett and Price 2012).

    Images on which two models have never differed so far do not show that they never will.
    """
    weight = n / len(sums)
    sums, total = np.append(sums, [weight, -weight]), n + 2 * weight
    mean = sums.sum() / total
    variance = variance_of_mean(sums, total) + between
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    return float(max(mean - half, -1.0)), float(min(mean + half, 1.0))


def _spread_by_images(
    values: np.ndarray,
    tested: np.ndarray,
    counts: np.ndarray,
    means: np.ndarray,
    groups: Sequence[object] | None,
) -> float:
    """Return the variance between seeds that their different test images explain."""
    residuals = (values - means * tested) / counts
    sums = np.stack([group_sums(column, groups) for column in residuals.T], axis=1)
    products = sums.T @ sums
    seeds = len(counts)
    own = np.trace(products) / seeds
    return float(own - (products.sum() - np.trace(products)) / (seeds * (seeds - 1)))


def _freedom(parts: Sequence[tuple[float, float]], variance: float) -> float:
    """Degrees of freedom of a sum of variances (Satterthwaite 1946), each with its own."""
    below = sum(part**2 / own for part, own in parts)
    least = min(own for _, own in parts)
    return max(variance**2 / below, least) if below > 0 else least


def interval_over_seeds(
    values: Sequence[float] | np.ndarray,
    low: Sequence[float] | np.ndarray,
    high: Sequence[float] | np.ndarray,
    *,
    repeats: float = 1.0,
    common: float = 1.0,
    ratio: float = 0.0,
) -> tuple[float, float]:
    """95 % interval of a score's mean over seeds, from the interval of each seed over its images.

    The seeds' own intervals carry the error of the test images, on either side of the score; what
    the scores differ by beyond it is added.

    Parameters
    ----------
    values, low, high
        The score of each seed and its 95 % interval.
    repeats
        How many times as many images the seeds test together as one of them: 1 where all test the
        same ones.
    common
        Share of one seed's test images that another one tests too.
    ratio
        Images tested per training image where each seed draws its own split, else 0.

    Returns
    -------
    tuple
        NaN where a seed has no interval of its own.
    """
    scores, lower, upper = (np.asarray(x, dtype=float) for x in (values, low, high))
    mean, seeds = scores.mean(), len(scores)
    halves = np.array([(scores - lower).mean(), (upper - scores).mean()])
    if seeds > 1:
        of_image = (halves.mean() / Z) ** 2
        beyond = max(0.0, scores.var(ddof=1) - (1 - common) * of_image)
        between = stats.t.ppf(0.975, seeds - 1) ** 2 * beyond * (1 / seeds + ratio)
        halves = np.sqrt(halves**2 / repeats + between)
    return float(mean - halves[0]), float(mean + halves[1])


def shared_images(tested: np.ndarray) -> tuple[float, float]:
    """Return how many times more images seeds test together than one does, and what two share.

    Parameters
    ----------
    tested
        (images, seeds) whether a seed tested an image.

    Returns
    -------
    tuple
        `repeats` and `common` of `interval_over_seeds`. Images that several seeds test count as
        often as they weigh in the mean.
    """
    tested = np.asarray(tested, dtype=float)
    seeds, counts = tested.shape[1], tested.sum(axis=1)
    one = tested.sum() / seeds
    if seeds < 2 or not one:
        return 1.0, 1.0
    both = tested.T @ tested
    pairs = (both.sum() - np.trace(both)) / (seeds * (seeds - 1))
    return float(counts.sum() ** 2 / (counts**2).sum() / one), float(pairs / one)
