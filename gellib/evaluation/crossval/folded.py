"""Out-of-fold scores summed over groups, and how much shared training sets add to their variance.

The scores of a cross-validation are not independent: the models of the folds are trained on nearly
the same images, so an unlucky sample makes all of them worse together. The variance over images (or
groups) does not see that. How much is missing depends on how unstable the models are, which the
repeats show: an image that is right in some repeats and wrong in others was decided by the training
set. The extra variance is taken as a multiple of that variance between repeats, which falls with
the fourth root of the number of groups, as simulations showed (`tests/benchmarks/evidence.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from gellib.evaluation.resampling import group_numbers

# Extra variance from shared training sets, in variances between repeats: times
# (images per group) ** _IN_GROUP / groups ** _GROUPS. What 400 sweeps each needed, and what this
# gives: single images, 40: 1.0, 1.2; 92: 0.96, 0.97; 250: 0.76, 0.75; 1000: 0.50 to 0.61, 0.53;
# groups of 5, 18: 2.7, 2.8; 50: 2.0, 2.2; 200: 1.5, 1.5; too little for 8: 4.4, 3.4.
_EXTRA, _IN_GROUP, _GROUPS = 3.0, 0.4, 0.25
# Extra variance, in variances over groups, where nothing shows how unstable the models are.
UNSEEN = 0.5


@dataclass(frozen=True)
class FoldedScores:
    """Scores of configurations, averaged over repeats and summed over groups.

    Attributes
    ----------
    sums
        (groups G, configurations K), of the images that every configuration was scored on.
    sizes
        (G,) images of each group.
    between
        (K, K) covariance of the configurations between repeats, summed over groups, for a single
        repeat; None where there is one repeat alone.
    """

    sums: np.ndarray
    sizes: np.ndarray
    between: np.ndarray | None

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.sizes.sum())

    @property
    def groups(self) -> int:
        """Number of groups, which are what is independent."""
        return len(self.sizes)

    @property
    def means(self) -> np.ndarray:
        """(K,) mean score of each configuration."""
        return self.sums.sum(axis=0) / self.images

    @property
    def kish(self) -> float:
        """How many images count as one where all images of a group agree (Kish 1965)."""
        return float((self.sizes**2).sum() / self.images)

    def variances(self, contrasts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance of mean scores, or of their differences: over groups, and of shared training.

        `contrasts` are (C, K) weights. The sum of the two is the variance over data sets.
        """
        parts = self.sums @ contrasts.T
        parts = parts - self.sizes[:, None] * (parts.sum(axis=0) / self.images)
        few = self.groups / max(self.groups - 1, 1)
        over_groups = few * (parts**2).sum(axis=0) / self.images**2
        if self.between is None:
            return over_groups, UNSEEN * over_groups
        spread = ((contrasts @ self.between) * contrasts).sum(axis=1) / self.images**2
        factor = _EXTRA * self.kish**_IN_GROUP / self.groups**_GROUPS
        return over_groups, factor * np.maximum(spread, 0.0)


def fold_scores(
    values: np.ndarray, folds: np.ndarray, groups: Sequence[object] | None = None
) -> FoldedScores:
    """Sum out-of-fold scores over groups.

    Parameters
    ----------
    values
        (K, R, N) scores 0..1; NaN where an image was not scored.
    folds
        (R, N) the fold of each image in each repeat.
    groups
        N names; images of one name are not independent. Empty ones stand alone; None: all do.

    Raises
    ------
    ValueError
        Where the shapes do not fit, or no image was scored by every configuration.
    """
    values, folds = np.asarray(values, dtype=float), np.asarray(folds)
    if values.ndim != 3 or folds.shape != values.shape[1:]:
        raise ValueError(
            f"got scores of shape {values.shape} and folds of shape {folds.shape}; expected "
            "(configurations, repeats, images) and (repeats, images)"
        )
    if groups is not None and len(groups) != values.shape[2]:
        raise ValueError(f"got {len(groups)} groups for {values.shape[2]} images")
    scored = np.isfinite(values)
    common = scored.any(axis=1).all(axis=0)
    if not common.any():
        raise ValueError("no image was scored by every configuration: compare runs of one data set")
    values, scored = values[:, :, common], scored[:, :, common]
    number = group_numbers(groups, len(common))[common]
    number = np.unique(number, return_inverse=True)[1]
    sizes = np.bincount(number).astype(float)
    means = np.where(scored, values, 0.0).sum(axis=1) / scored.sum(axis=1)
    into = csr_array((np.ones(len(number)), (number, np.arange(len(number)))))
    repeats = scored.all(axis=(0, 2))
    between = None
    if repeats.sum() > 1:
        away = values[:, repeats] - values[:, repeats].mean(axis=1, keepdims=True)
        flat = (into @ away.reshape(-1, len(number)).T).T.reshape(len(values), -1)
        between = flat @ flat.T / (repeats.sum() - 1)
    return FoldedScores(into @ means.T, sizes, between)
