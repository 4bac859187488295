"""Whether the band of an extrapolated learning curve holds the truth.

    python tests/benchmarks/learning_curve.py                     simulated features
    python tests/benchmarks/learning_curve.py features.npz ...    real ones: arrays x, y, groups

From each set, a quarter and a half of the groups are drawn at random; their curve is extrapolated
to the training size of the whole set. The truth is the cross-validated score of the whole set; for
simulated features, where each draw is a new sample, the mean score of many heads of that training
size on a large population. Goal: the 90 % band holds it in 85 to 95 % of draws.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from gellib.evaluation.extrapolation import extrapolate
from gellib.evaluation.learning_curve import FOLDS, _score, measure_learning_curve

GOAL = (0.85, 0.95)


def simulate(n: int, d: int, gap: float, noise: float, per_group: int, seed: int):
    """Draw features of two classes that differ in a tenth of them; groups share half the noise."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(-(-n // per_group)), per_group)[:n]
    y = rng.integers(0, 2, groups.max() + 1)[groups]
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
    size = round(n * (1 - 1 / FOLDS))
    scores = []
    for i in range(20):
        x, y, _ = simulate(size, d, gap, noise, per_group, seed * 1000 + i)
        x_new, y_new, _ = simulate(2000, d, gap, noise, 1, seed * 1000 + 500 + i)
        both = np.concatenate([x, x_new]), np.concatenate([y, y_new])
        scores.append(_score(*both, np.arange(size), np.arange(size, size + 2000)).mean())
    return float(np.mean(scores))


def draw(x, y, groups, share: float, rng):
    names = np.unique(groups)
    kept = rng.choice(names, round(share * len(names)), replace=False)
    rows = np.flatnonzero(np.isin(groups, kept))
    return x[rows], y[rows], groups[rows]


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
    parser.add_argument("features", nargs="*", type=Path, help="npz with x (n, d), y (n,), groups")
    parser.add_argument("--draws", type=int, default=200)
    options = parser.parse_args()
    if not options.features:
        for number, (name, arguments) in enumerate(SETS.items()):
            n, d, gap, noise, per_group = arguments
            truth, size = truth_of_population(arguments, number), round(n * (1 - 1 / FOLDS))

            def sample(share, i, arguments=arguments, number=number):
                n, *rest = arguments
                return simulate(round(share * n), *rest, 10**6 * (number + 1) + i)

            run(name, sample, truth, size, options.draws)
    for path in options.features:
        data = np.load(path)
        x, y, groups = data["x"].astype(float), data["y"], data["groups"]
        whole = measure_learning_curve(x, y, groups, repeats=10)
        if whole is None:
            raise SystemExit(f"{path}: too few images for a curve")

        def sample(share, i, x=x, y=y, groups=groups):
            return draw(x, y, groups, share, np.random.default_rng([i, 77]))

        run(path.stem, sample, float(whole.means[-1]), float(whole.sizes[-1]), options.draws)


if __name__ == "__main__":
    main()
