"""Which of many unlabelled images to label next: `choose_next_images`.

Active learning in batches: uncertain images first, of each group one, spread over the features by
weighted k-means++ (Arthur and Vassilvitskii 2007), and a share of random picks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Random picks keep a batch from being worse than a random one where the model is mistaken about
# what it does not know. tests/benchmarks/next_images.py measures it.
RANDOM_SHARE = 0.25
# The uncertain picks are spread over so many times as many of the most uncertain images.
POOL = 3
_STREAM = 0x6E78  # keeps these draws apart from others with the same seed
_LEAST_WEIGHT = 1e-9


@dataclass(frozen=True)
class Choice:
    """The images to label, in the order of picking.

    Attributes
    ----------
    rows
        Rows of the images, (k,); the random picks come last.
    at_random
        Whether each was picked at random, (k,).
    """

    rows: np.ndarray
    at_random: np.ndarray


def label_uncertainty(probabilities: np.ndarray, *, exclusive: bool = True) -> np.ndarray:
    """Return how uncertain the labels of images are, 0 (certain) to 1, (n,).

    One label of several classes: one minus the difference of the two highest probabilities. Labels
    that do not exclude each other: that of the label nearest to one half.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    if not exclusive:
        return 1 - np.abs(2 * p - 1).min(axis=1)
    if p.shape[1] < 2:
        return np.zeros(len(p))
    highest = np.sort(p, axis=1)
    return 1 - (highest[:, -1] - highest[:, -2])


def choose_next_images(
    uncertainty: np.ndarray,
    features: np.ndarray,
    groups: np.ndarray,
    n: int,
    *,
    drawn_from: np.ndarray | None = None,
    random_share: float = RANDOM_SHARE,
    seed: int = 0,
) -> Choice:
    """Choose images to label: uncertain, unlike each other, at most one of each group.

    Parameters
    ----------
    uncertainty
        How uncertain each image's label is, (N,), 0 to 1.
    features
        Features of the images, (N, d).
    groups
        Number of the group of each image, (N,); images of one group hold the same.
    n
        How many to choose; fewer where there are fewer groups.
    drawn_from
        Whether an image may be picked at random, (N,); None: all may. For when the N images are not
        all there are, but the most uncertain of them, and some others.
    random_share
        Share of the chosen images that are picked at random, 0 to 1.
    seed
        Seed of the random picks and of ties.

    Raises
    ------
    ValueError
        When the arrays do not have one row per image.
    """
    if not len(uncertainty) == len(features) == len(groups):
        raise ValueError(
            f"got {len(uncertainty)} uncertainties, {len(features)} rows of features and "
            f"{len(groups)} groups; expected as many of each"
        )
    rng = np.random.default_rng([seed, _STREAM])
    candidates = _most_uncertain_of_groups(uncertainty, groups, rng)
    n = min(n, len(candidates))
    random = round(random_share * n)
    pool = candidates[: POOL * (n - random)]
    picked = pool[_spread(_standardise(features[pool]), uncertainty[pool], n - random, rng)]
    rest = rng.permutation(candidates[~np.isin(candidates, picked)])
    if drawn_from is not None:  # those that may be drawn first, others where they do not suffice
        rest = rest[np.argsort(~drawn_from[rest], kind="stable")]
    return Choice(np.concatenate([picked, rest[:random]]), np.arange(n) >= n - random)


def _most_uncertain_of_groups(
    uncertainty: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the most uncertain row of each group, by falling uncertainty; ties at random."""
    order = rng.permutation(len(uncertainty))
    order = order[np.argsort(-uncertainty[order], kind="stable")]
    first = np.unique(groups[order], return_index=True)[1]
    return order[np.sort(first)]


def _standardise(points: np.ndarray) -> np.ndarray:
    if not len(points):
        return points
    points = points.astype(np.float64)
    deviation = points.std(axis=0)
    least = max(0.01 * deviation.max(), 1e-12)
    return (points - points.mean(axis=0)) / np.maximum(deviation, least)


def _spread(
    points: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Pick points one after the other, with probabilities that grow with weight and distance.

    Parameters
    ----------
    points
        The points, (N, d).
    weights
        Weight of each point, (N,).
    count
        How many to pick, at most N.
    rng
        Source of randomness.
    """
    weights = np.maximum(weights, _LEAST_WEIGHT)
    nearest = np.ones(len(points))
    left = np.ones(len(points), dtype=bool)
    picked: list[int] = []
    for _ in range(count):
        chances = np.where(left, weights * np.maximum(nearest, _LEAST_WEIGHT), 0)
        place = int(rng.choice(len(points), p=chances / chances.sum()))
        distances = ((points - points[place]) ** 2).sum(axis=1)
        nearest = np.minimum(nearest, distances) if picked else distances
        left[place] = False
        picked.append(place)
    return np.array(picked, dtype=int)
