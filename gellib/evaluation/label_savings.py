"""Whether chosen images save labels, tried on images that are labelled: `try_choice`.

Some labelled images test, and the others are taken for unlabelled: a head is trained on a few of
them, `choose_next_images` says which labels to reveal next, and again. The same is done with images
picked at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from gellib.evaluation.active_learning import choose_next_images, label_uncertainty
from gellib.evaluation.crossval import MARGIN
from gellib.evaluation.learning_curve import learned_probabilities

# As accurate with this share of the labels as random images with all of them ...
SHARE = 0.6
# ... in this share of the trials: less is nothing to rely on.
RELIABLE = 0.8
# Where all are right soon, or labels are chance, the trials differ by luck: less says nothing.
_LEAST_GAIN = 0.01
TRIALS = 20
# Beginnings in each trial, over which the accuracy is averaged.
_STARTS = 2
# Trained on: beginning, two batches, and with all labels.
_STEPS = 5
_TEST_SHARE = 0.4
_MOST_LABELS = 100
_LEAST_GROUPS = 40
# More images make the trials longer, and show nothing that these do not.
_MOST_IMAGES = 500
_STREAM = 0x6C73  # keeps these draws apart from others with the same seed


@dataclass(frozen=True)
class Savings:
    """How chosen images did on labelled ones, beside random images.

    Attributes
    ----------
    trials
        How many trials there were.
    images
        Labelled images that it was tried on.
    labels, all_labels
        Numbers of labels that were compared: of chosen images, and of random ones.
    reached
        Share of the trials in which the chosen images were at least as accurate with `labels` as
        random images with `all_labels`.
    by_random
        The same of random images with `labels`.
    gain
        By how much more accurate chosen images were than as many random ones, mean over the trials.
    """

    trials: int
    images: int
    labels: int
    all_labels: int
    reached: float
    by_random: float
    gain: float

    @property
    def reliable(self) -> bool:
        """Whether choosing saves labels in nearly every trial, or gains more than a margin."""
        often = self.reached >= RELIABLE and self.gain >= _LEAST_GAIN
        return self.reached > self.by_random and (often or self.gain >= MARGIN)

    def sentence(self) -> str:
        """Say what the trials showed, and whether random images are as good."""
        measured = (
            f"in {self.trials} trials on the {self.images} labelled images, {self.labels} chosen "
            f"this way were as good as {self.all_labels} random ones in {self.reached:.0%} (as "
            f"many random ones: in {self.by_random:.0%}), and right {100 * self.gain:+.1f} points "
            "more often than as many random ones"
        )
        if self.reliable:
            return measured
        better = self.gain > 0 and self.reached > self.by_random
        verb = "may be" if better else "are"
        return f"images picked at random {verb} as good: {measured}"


def try_choice(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    trials: int = TRIALS,
    seed: int = 0,
) -> Savings | None:
    """Try on labelled images whether chosen ones save labels.

    Parameters
    ----------
    features
        Features of the labelled images, (N, d).
    targets
        Their class numbers, (N,).
    groups
        Number of the group of each, (N,); images of one group hold the same.
    trials
        How many trials, each with other test images.
    seed
        Seed of the trials.

    Returns
    -------
    Savings or None
        None where there are too few groups of images to try it.
    """
    x, y, groups = _some(np.asarray(features, dtype=float), targets, groups, seed)
    names = np.unique(groups)
    if len(names) < _LEAST_GROUPS:
        return None
    tested = round(_TEST_SHARE * len(names))
    most = min(_MOST_LABELS, len(names) - tested - 2)
    sizes = [round(most * step / _STEPS) for step in (1, 2, 3)]
    chosen, few, every = np.zeros((3, trials))
    with threadpool_limits(1):  # the result must not depend on the number of threads
        for trial in range(trials):
            rng = np.random.default_rng([seed, trial, _STREAM])
            is_test = np.isin(groups, rng.permutation(names)[:tested])
            test, pool = np.flatnonzero(is_test), np.flatnonzero(~is_test)
            for _ in range(_STARTS):
                order = rng.permutation(pool)
                train = _reveal(x, y, groups, order, sizes, rng)
                chosen[trial] += _accuracy(x, y, train, test) / _STARTS
                few[trial] += _accuracy(x, y, order[: sizes[-1]], test) / _STARTS
                every[trial] += _accuracy(x, y, order[:most], test) / _STARTS
    return Savings(
        trials,
        len(y),
        sizes[-1],
        most,
        float((chosen >= every - 1e-12).mean()),
        float((few >= every - 1e-12).mean()),
        float((chosen - few).mean()),
    )


def _some(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if len(y) <= _MOST_IMAGES:
        return x, y, groups
    rows = np.random.default_rng([seed, _STREAM]).permutation(len(y))[:_MOST_IMAGES]
    return x[rows], y[rows], groups[rows]


def _reveal(
    x: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    order: np.ndarray,
    sizes: list[int],
    rng: np.random.Generator,
) -> np.ndarray:
    """Begin with the first images of an order, and choose the others; return their rows.

    Parameters
    ----------
    x, y, groups
        Features, class numbers and groups of all images.
    order
        Rows of the images that count as unlabelled.
    sizes
        Numbers of labels, rising: after the beginning and after each batch.
    rng
        Source of randomness.
    """
    train, classes = order[: sizes[0]], int(y.max()) + 1
    for size in sizes[1:]:
        left = np.setdiff1d(order, train)
        left = left[~np.isin(groups[left], groups[train])]
        p = learned_probabilities(x, y, train, left, classes)
        found = choose_next_images(
            label_uncertainty(p), x[left], groups[left], size - len(train),
            seed=int(rng.integers(2**31)),
        )  # fmt: skip
        train = np.concatenate([train, left[found.rows]])
    return train


def _accuracy(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> float:
    p = learned_probabilities(x, y, train, test, int(y.max()) + 1)
    return float((p.argmax(axis=1) == y[test]).mean())
