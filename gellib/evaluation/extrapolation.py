"""What more images would give: laws through a learning curve, with the band that they span.

Three families of laws say how the error of a head falls with the number m of its training images.
An inverse power law, b m^-c (Figueroa et al. 2012; Hestness et al. 2017), is what long curves look
like. With few images in many dimensions most of a head is noise, from which the score rises as a
signal: by the distance of two classes in standard deviations, which grows as 1 / sqrt(1 + h / m),
or, before that, as a power of m. A few noisy points do not say which holds, nor how fast, so each
resample of the images goes with a law drawn by how well it fits them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from gellib.evaluation.crossval.folded import UNSEEN, fold_scores
from gellib.evaluation.learning_curve import LearningCurve

BAND_LEVEL = 0.9
# From nearly flat to as fast as a rule is learned without noise.
_EXPONENTS = np.linspace(0.1, 1.0, 10)
_GROWTHS = np.linspace(0.05, 0.75, 8)
# Training images at which the noise of a head equals the signal, in those of the longest subset.
_HALF_SIZES = np.geomspace(0.05, 20, 10)
_DRAWS = 2000
# A right and a wrong image, together worth one: where all are right, not all others need be.
_PRIOR_GROUPS = 0.5
_STREAM = 0x6578
# A gain below two points is not worth twice the labelling.
FLAT = 0.02


@dataclass(frozen=True)
class Extrapolation:
    """Expected scores at numbers of training images, with a band that holds 90 % of laws.

    Attributes
    ----------
    sizes
        Numbers of training images, (M,).
    middle, low, high
        Median and ends of the band, (M,), 0..1.
    gain
        Median and ends of the band of what doubling the images adds to the score.
    n
        Number of images there are.
    """

    sizes: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    gain: tuple[float, float, float]
    n: int

    @property
    def flat(self) -> bool:
        """Whether twice as many images are all but sure to add less than two points."""
        return self.gain[2] < FLAT

    @property
    def rising(self) -> bool:
        """Whether twice as many images are expected to add two points or more."""
        return self.gain[0] >= FLAT


def extrapolate(
    curve: LearningCurve, sizes: np.ndarray, *, level: float = BAND_LEVEL, seed: int = 0
) -> Extrapolation:
    """Extrapolate a learning curve.

    Parameters
    ----------
    curve
        The curve.
    sizes
        Numbers of training images to expect scores at, (M,).
    level
        Share of the laws within the band.
    seed
        Seed of the resamples.
    """
    rng = np.random.default_rng([seed, _STREAM])
    errors, noise = _resampled_errors(curve, rng)
    wanted = np.concatenate([np.asarray(sizes, float), [curve.n, 2 * curve.n]])
    scores = _draw_scores(curve, errors, noise, wanted, rng)
    ends = [0.5, (1 - level) / 2, (1 + level) / 2]
    middle, low, high = np.quantile(scores[:, :-2], ends, axis=0)
    if curve.scores[-1].min() == 1:  # all right: perhaps all others, too
        high = np.ones_like(high)
    gain = np.quantile(scores[:, -1] - scores[:, -2], ends)
    return Extrapolation(
        np.asarray(sizes), middle, low, high, (float(gain[0]), float(gain[1]), float(gain[2])),
        curve.n,
    )  # fmt: skip


def _resampled_errors(curve: LearningCurve, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return mean errors on resampled images (B, S), and the standard error of repeats.

    A Bayesian bootstrap of the groups (Rubin 1981): each gets a random weight rather than being
    drawn or not, so that a rare mistake never vanishes from a resample.
    """
    of_images = 1 - curve.scores.mean(axis=1)
    count = int(curve.groups.max()) + 1
    errors = np.stack([np.bincount(curve.groups, row, count) for row in of_images])
    images = np.bincount(curve.groups, minlength=count).astype(float)
    # All heads learn from the same images, which varies the score beyond what its images show.
    folded = fold_scores(curve.scores[-1][None], np.zeros(curve.scores.shape[1:]), [*curve.groups])
    seen, unseen = (float(part[0]) for part in folded.variances(np.ones((1, 1))))
    inflation = 1 + (unseen / seen if seen > 1e-12 else UNSEEN)
    weights = rng.gamma(1 / inflation, size=(_DRAWS, count))
    wrong, right = rng.gamma(_PRIOR_GROUPS, size=(2, _DRAWS, 1)) * images.mean()
    found = (weights @ errors.T + wrong) / ((weights @ images)[:, None] + wrong + right)
    repeats = curve.scores.shape[1]
    spread = (1 - curve.scores).mean(axis=2).std(axis=1, ddof=1) if repeats > 1 else 0.0
    noise = np.sqrt(np.mean(np.square(spread)) / repeats)
    return found, max(float(noise), 0.5 / curve.n)


def _draw_scores(
    curve: LearningCurve,
    errors: np.ndarray,
    noise: float,
    wanted: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return scores (B, M) at the wanted sizes, by one law per resample, drawn by how well it fits.

    Parameters
    ----------
    curve
        The curve.
    errors
        Mean errors on resampled images, (B, S).
    noise
        Standard error of one point of the curve.
    wanted
        Numbers of training images, (M,).
    rng
        Draws the laws.
    """
    largest, chance = curve.sizes[-1], curve.chance
    laws = [_power_law(curve.sizes, errors, wanted, c) for c in _EXPONENTS]
    for half in _HALF_SIZES * largest:
        laws.append(_distance_law(curve.sizes, errors, wanted, chance, _saturating(half)))
    for power in _GROWTHS:
        laws.append(_distance_law(curve.sizes, errors, wanted, chance, _growing(power, largest)))
    families = (len(_EXPONENTS), len(_HALF_SIZES), len(_GROWTHS))
    prior = np.concatenate([np.full(count, 1 / count) for count in families])
    misfit = np.stack([((at - errors) ** 2).sum(axis=1) for at, _ in laws], axis=1) / noise**2
    share = prior * np.exp(-0.5 * (misfit - misfit.min(axis=1, keepdims=True)))
    share = share.cumsum(axis=1) / share.sum(axis=1, keepdims=True)
    drawn = (share > rng.random((len(errors), 1))).argmax(axis=1)
    found = np.stack([there for _, there in laws], axis=1)[np.arange(len(errors)), drawn]
    return np.asarray(1 - np.clip(found, 0, 1))


def _power_law(
    sizes: np.ndarray, errors: np.ndarray, wanted: np.ndarray, c: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fit b m^-c to each row of errors; return the errors of the law (B, S), and (B, M)."""
    x = sizes**-c
    b = (errors @ x / (x @ x))[:, None]
    return b * x, b * wanted**-c


def _distance_law(
    sizes: np.ndarray,
    errors: np.ndarray,
    wanted: np.ndarray,
    chance: float,
    growth: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Fit how far apart the classes are, in standard deviations, to each row of errors.

    Parameters
    ----------
    sizes, errors, wanted
        As for `_power_law`.
    chance
        The score of heads that have learned nothing.
    growth
        How the distance grows with the size, but for its scale.
    """
    above = np.clip(1 - errors / (1 - chance), 0.0, 1 - 1e-4)
    distance = special.ndtri((1 + above) / 2)
    # Each size counts by how much its error says about the distance.
    weight = stats.norm.pdf(distance) ** 2
    x = growth(sizes)
    scale = ((weight * distance) @ x / (weight @ x**2))[:, None]
    at, there = (2 - 2 * special.ndtr(scale * growth(m)) for m in (sizes, wanted))
    return (1 - chance) * at, (1 - chance) * there


def _saturating(half: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sizes: 1 / np.sqrt(1 + half / sizes)


def _growing(power: float, largest: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sizes: (sizes / largest) ** power
