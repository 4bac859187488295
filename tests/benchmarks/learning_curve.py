"""Whether the band of an extrapolated learning curve holds the truth.

    python tests/benchmarks/learning_curve.py                     simulated features
    python tests/benchmarks/learning_curve.py digits              digits of scikit-learn
    python tests/benchmarks/learning_curve.py features.npz ...    real ones: arrays x, y, groups

The curve of a quarter and of a half of a set's images is extrapolated to the training size of the
whole. The truth is the mean score of many heads of that training size on other images. Each draw
of simulated features is a new sample, and a large population tests the heads. Of a real file, half
stands for the whole set, so that a draw is a small part of the images that the truth comes from;
all other images test the heads. Of the 1,797 digits (odd or even, by their 64 pixels), 300 stand
for the whole set. Goal: the 90 % band holds the truth in 85 to 95 % of draws.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from gellib.evaluation.extrapolation import extrapolate
from gellib.evaluation.learning_curve import (
    CURVE_FOLDS,
    _interleave,
    _score,
    _whole_groups,
    measure_learning_curve,
)

GOAL = (0.85, 0.95)


def simulate(n: int, d: int, gap: float, noise: float, per_group: int, seed: int):
    """Draw features of two classes that differ in a tenth of them; groups share half the noise.

    As many groups are of each class: what is extrapolated to has the class shares of what is there.
    """
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(-(-n // per_group)), per_group)[:n]
    y = rng.permutation(np.arange(groups.max() + 1) % 2)[groups]
    shared = rng.normal(size=(groups.max() + 1, d))[groups]
    own = rng.normal(size=(n, d))
    x = own if per_group == 1 else (shared + own) / np.sqrt(2)
    direction = np.zeros(d)
    direction[: d // 10] = gap / np.sqrt(d // 10)
    x += np.where(y[:, None] == 1, direction, -direction)
    y = np.where(rng.random(n) < noise, 1 - y, y)  # wrong labels: a floor of the error
    return x, y, groups


SETS = {
    "easy, 92": (92, 64, 2.2, 0.0, 1),
    "hard, 250": (250, 128, 1.2, 0.02, 1),
    "groups of 5, 400": (400, 64, 1.3, 0.05, 5),
    "slow, 600": (600, 512, 1.0, 0.0, 1),
}


def truth_of_population(arguments, seed: int) -> float:
    n, d, gap, noise, per_group = arguments
    size = round(n * (1 - 1 / CURVE_FOLDS))
    scores = []
    for i in range(20):
        x, y, _ = simulate(size, d, gap, noise, per_group, seed * 1000 + i)
        x_new, y_new, _ = simulate(2000, d, gap, noise, 1, seed * 1000 + 500 + i)
        both = np.concatenate([x, x_new]), np.concatenate([y, y_new])
        scores.append(_score(*both, np.arange(size), np.arange(size, size + 2000)).mean())
    return float(np.mean(scores))


def draw(x, y, groups, share: float, rng):
    """Draw a share of the groups of each class."""
    names, first = np.unique(groups, return_index=True)
    kept = [
        rng.choice(own, round(share * len(own)), replace=False)
        for own in (names[y[first] == c] for c in np.unique(y))
    ]
    rows = np.flatnonzero(np.isin(groups, np.concatenate(kept)))
    return x[rows], y[rows], groups[rows]


def real_sets(names: list[str]):
    """Yield name, features, classes, groups, and how many images stand for the whole set."""
    for name in names:
        if name == "digits":
            x, y = load_digits(return_X_y=True)
            yield name, x, y % 2, np.arange(len(y)), 300
        else:
            data = np.load(name)
            groups = np.unique(data["groups"], return_inverse=True)[1]
            yield Path(name).stem, data["x"].astype(float), data["y"], groups, len(data["y"]) / 2


def truth_of_pool(x, y, groups, size: int, heads: int = 40) -> float:
    """Mean score of heads of a training size on all other images of the set."""
    scores = []
    for i in range(heads):
        order = np.concatenate(_interleave(y, groups, np.random.default_rng([i, 5])))
        train = _whole_groups(order, groups, size)
        scores.append(_score(x, y, train, np.setdiff1d(order, train)).mean())
    return float(np.mean(scores))


def run(name, sample, truth, size, draws: int) -> None:
    for share in (0.25, 0.5):
        held, widths, bias, no_curve, started = [], [], [], 0, time.process_time()
        for i in range(draws):
            curve = measure_learning_curve(*sample(share, i), seed=i)
            if curve is None:
                no_curve += 1
                continue
            found = extrapolate(curve, np.array([size]), seed=i)
            held.append(found.low[0] <= truth <= found.high[0])
            widths.append(found.high[0] - found.low[0])
            bias.append(found.middle[0] - truth)
        if not held:
            print(f"{name:24} {share:5.2f}  too few images for a curve", flush=True)
            continue
        rate = np.mean(held)
        verdict = "reached" if GOAL[0] <= rate <= GOAL[1] else "missed"
        seconds = (time.process_time() - started) / draws
        print(
            f"{name:24} {share:5.2f} truth {truth:6.1%} held {rate:6.1%} (goal 85-95: {verdict}), "
            f"width {np.mean(widths):5.1%}, bias {np.mean(bias):+5.1%}, {len(held)} draws, "
            f"{no_curve} without a curve, {seconds:.2f} s CPU each",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "features", nargs="*", help="npz with x (n, d), y (n,), groups; or 'digits'"
    )
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    if not options.features:
        for number, (name, arguments) in enumerate(SETS.items()):
            n, d, gap, noise, per_group = arguments
            truth, size = truth_of_population(arguments, number), round(n * (1 - 1 / CURVE_FOLDS))

            def sample(share, i, arguments=arguments, number=number):
                n, *rest = arguments
                return simulate(round(share * n), *rest, 10**6 * (number + 1) + i)

            run(name, sample, truth, size, options.draws)
    for name, x, y, groups, whole in real_sets(options.features):
        size = round(whole * (1 - 1 / CURVE_FOLDS))

        def sample(share, i, x=x, y=y, groups=groups, whole=whole):
            part = share * whole / len(y)
            return draw(x, y, groups, part, np.random.default_rng([i, 77]))

        run(name, sample, truth_of_pool(x, y, groups, size), size, options.draws)


if __name__ == "__main__":
    main()
