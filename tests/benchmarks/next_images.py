"""How many labels the choice of `gellib next` saves, against images labelled at random.

    python tests/benchmarks/next_images.py                     simulated features
    python tests/benchmarks/next_images.py features.npz ...    arrays x (n, d), y, groups

In each draw 40 % of the groups are the test images. A few random images are labelled, a head is
trained, and the next batch is labelled, again and again; three beginnings per draw are averaged.
Goals: with at most 60 % of the labels as accurate as random images with all of them, in 80 % of
draws; never worse than random images by more than a point (mean over draws, at any size).
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from gellib.evaluation.active_learning import (
    RANDOM_SHARE,
    choose_next_images,
    label_uncertainty,
)
from gellib.evaluation.label_savings import RELIABLE, SHARE, try_choice
from gellib.evaluation.learning_curve import learned_probabilities

WORSE = 0.01
STARTS = 3
TEST = 0.4


def simulate(n: int, clear: float, seed: int):
    """Draw two classes: a share told apart by a first feature, the others by a second alone."""
    rng = np.random.default_rng(seed)
    y, is_clear = rng.integers(0, 2, n), rng.random(n) < clear
    x = rng.normal(0, 0.3, (n, 6))
    x[:, 0] += np.where(is_clear, 4 * (2 * y - 1), 0)
    x[:, 1] += np.where(is_clear, 0, 1.5 * (2 * y - 1))
    return x, y, np.arange(n)


def simulate_chance(n: int, seed: int):
    """Draw features that say nothing about two classes."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 6)), rng.integers(0, 2, n), np.arange(n)


def learn(x, y, groups, test, pool, sizes, strategy, seed):
    """Label more and more of the pool; return the accuracy at each size."""
    rng = np.random.default_rng(seed)
    order, classes = rng.permutation(pool), y.max() + 1
    train, accuracy = order[: sizes[0]], []
    for step, size in enumerate(sizes):
        if step:
            left = np.setdiff1d(pool, train)
            if strategy != "random":  # what is labelled already is not labelled again
                left = left[~np.isin(groups[left], groups[train])]
            wanted = size - sizes[step - 1]
            if strategy == "random":
                new = rng.permutation(left)[:wanted]
            else:
                p = learned_probabilities(x, y, train, left, classes)
                share = RANDOM_SHARE if strategy == "gellib next" else 1.0
                rows = choose_next_images(
                    label_uncertainty(p), x[left], groups[left], wanted,
                    random_share=share, seed=int(rng.integers(2**31)),
                ).rows  # fmt: skip
                new = left[rows]
            train = np.concatenate([train, new])
        p = learned_probabilities(x, y, train, test, classes)
        accuracy.append((p.argmax(axis=1) == y[test]).mean())
    return accuracy


def measure(x, y, groups, draws):
    """Return the sizes, and for each strategy the accuracy (draws, sizes), mean over beginnings."""
    names = np.unique(groups)
    # All sizes fit into the groups of the smallest pool.
    most = min(100, round((1 - TEST) * len(names)) - 2)
    step = max(2, most // 10)
    sizes = np.arange(2 * step, most + 1, step)
    curves = {}
    for strategy in ("random", "random, one of each group", "gellib next"):
        curves[strategy] = []
        for draw in range(draws):
            order = np.random.default_rng([draw, 5]).permutation(names)
            tested = np.isin(groups, order[: len(names) - round((1 - TEST) * len(names))])
            test, pool = np.flatnonzero(tested), np.flatnonzero(~tested)
            runs = [
                learn(x, y, groups, test, pool, sizes, strategy, [draw, start])
                for start in range(STARTS)
            ]
            curves[strategy].append(np.mean(runs, axis=0))
    return sizes, {name: np.array(curve) for name, curve in curves.items()}


def report(name, x, y, groups, draws) -> None:
    started = time.process_time()
    with threadpool_limits(1):
        sizes, curves = measure(x, y, groups, draws)
    random = curves["random"]
    few = np.flatnonzero(sizes <= SHARE * sizes[-1])[-1]
    print(f"{name}: {draws} draws, {time.process_time() - started:.0f} s CPU")
    print(" " * 26, " ".join(f"{size:5}" for size in sizes), " labels")
    for strategy, curve in curves.items():
        means = curve.mean(axis=0)
        reached = np.mean(curve[:, few] >= random[:, -1] - 1e-12)
        worst = (means - random.mean(axis=0)).min()
        enough = np.flatnonzero(means >= random.mean(axis=0)[-1] - 1e-12)
        saved = f"{sizes[enough[0]] / sizes[-1]:.0%}" if len(enough) else "more than 100%"
        verdicts = [
            "reached" if good else "missed" for good in (reached >= RELIABLE, worst >= -WORSE)
        ]
        print(
            f"{strategy:26}",
            " ".join(f"{mean:5.1%}" for mean in means),
            f" with {sizes[few]} labels as good as {sizes[-1]} random ones in {reached:.0%} of "
            f"draws (goal {RELIABLE:.0%}: {verdicts[0]}); on the mean with {saved} of the labels; "
            f"worst difference {100 * worst:+.1f} points (goal {-100 * WORSE:+.0f}: {verdicts[1]})",
            flush=True,
        )
    started = time.process_time()
    said = try_choice(x, y, groups)
    text = said.sentence() if said else "nothing: too few groups"
    print(f"gellib next says ({time.process_time() - started:.1f} s CPU): {text}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("features", nargs="*", type=Path, help="npz with x (n, d), y (n,), groups")
    parser.add_argument("--draws", type=int, default=50)
    options = parser.parse_args()
    if not options.features:
        report("mostly clear, 250", *simulate(250, 0.85, 0), options.draws)
        report("by chance, 250", *simulate_chance(250, 0), options.draws)
    for path in options.features:
        data = np.load(path)
        report(path.stem, data["x"].astype(float), data["y"], data["groups"], options.draws)


if __name__ == "__main__":
    main()
