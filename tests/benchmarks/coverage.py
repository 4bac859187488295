"""How often the 95 % intervals of the scores hold the truth, by simulation.

    python tests/benchmarks/coverage.py [--repeats 1000] [--images 22 100] [--plain-bca]

A classifier of known quality is simulated: its scores are normal, so that its true accuracy, F1,
kappa, balanced accuracy, Matthews correlation and ROC area are known. Then test sets are drawn, and
the intervals counted that hold the true value. `--plain-bca` counts those of the BCa bootstrap
beside them. With groups, the images of a group share most of their score.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from gellib.evaluation import intervals
from gellib.evaluation.registry import table_metrics
from gellib.evaluation.resampling import bca

GOAL = 0.93, 0.97
SHOWN = ("accuracy", "f1", "kappa", "roc_auc", "sensitivity")


def truths(distance: float, n_classes: int) -> dict[str, float]:
    """The true scores of `n_classes` alike classes whose means are `distance` apart."""
    if n_classes == 2:
        right = norm.cdf(distance / 2)
        area = norm.cdf(distance / np.sqrt(2))
    else:
        # Independent unit normal scores, the true class's raised: the largest is chosen.
        def density(x):
            return norm.pdf(x - distance) * norm.cdf(x) ** (n_classes - 1)

        right = quad(density, -8, distance + 8)[0]
        # A column ranks images: the class's own against those of the others.
        area = norm.cdf(distance / np.sqrt(2))
    chance = 1 / n_classes
    return {
        "accuracy": right,
        "f1": right,
        "sensitivity": right,
        "kappa": (right - chance) / (1 - chance),
        # Of equally frequent classes that are mistaken for each other alike.
        "balanced_accuracy": right,
        "mcc": (right - chance) / (1 - chance),
        "roc_auc": area,
    }


def draw(rng, n, n_classes, distance, group_size=1, shared=0.9):
    """Draw labels, probabilities and groups of one test set, the classes equally frequent."""
    n_groups = max(n_classes, round(n / group_size))
    labels = rng.permutation(np.arange(n_groups) % n_classes)
    size = np.maximum(1, rng.poisson(group_size - 1, n_groups) + 1) if group_size > 1 else None
    groups = np.repeat(np.arange(n_groups), 1 if size is None else size)
    y = labels[groups]
    wobble = rng.normal(size=(n_groups, n_classes))[groups]
    if group_size > 1:
        own = rng.normal(size=wobble.shape)
        wobble = np.sqrt(shared) * wobble + np.sqrt(1 - shared) * own
    if n_classes == 2:
        score = (y - 0.5) * distance + wobble[:, 0]
        p = 1 / (1 + np.exp(-score))
        return y, np.column_stack([1 - p, p]), groups
    # Independent columns, squashed one by one: kept as they are, so that columns rank images.
    return y, norm.cdf((wobble + distance * np.eye(n_classes)[y]) / 3), groups


def coverage(rng, n, n_classes, distance, repeats, group_size=1, plain_bca=False):
    """Share of the intervals that hold the truth, and their mean width, by score."""
    true, held, widths = truths(distance, n_classes), {}, {}
    classes = tuple(map(str, range(n_classes)))
    for repeat in range(repeats):
        y, p, groups = draw(rng, n, n_classes, distance, group_size)
        names = [f"g{g}" for g in groups] if group_size > 1 else None
        found = intervals(y, p, classes, groups=names, seed=repeat)
        if plain_bca:
            found |= _plain(y, p, groups, n_classes, rng)
        for name, interval in found.items():
            value = true.get(name.removesuffix(" by BCa"))
            if value is not None:
                low, high = interval
                held.setdefault(name, []).append(low - 1e-9 <= value <= high + 1e-9)
                widths.setdefault(name, []).append(high - low)
    return {name: (float(np.mean(held[name])), float(np.mean(widths[name]))) for name in held}


def _plain(y, p, groups, n_classes, rng):
    tables = np.zeros((groups.max() + 1, n_classes, n_classes))
    np.add.at(tables, (groups, y, p.argmax(axis=1)), 1)
    flat = tables.reshape(len(tables), -1)
    out = {}
    for name in ("accuracy", "f1"):

        def score(w, name=name):
            return table_metrics((w @ flat).reshape(-1, n_classes, n_classes))[name]

        out[f"{name} by BCa"] = bca(score, len(tables), rng)
    return out


def main() -> None:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--plain-bca", action="store_true")
    parser.add_argument("--images", type=int, nargs="*", default=[22, 100, 1000])
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    cases = [
        (n, c, d, g)
        for n, c, g in [
            (22, 2, 1),
            (100, 2, 1),
            (1000, 2, 1),
            (100, 4, 1),
            (1000, 10, 1),
            (22, 2, 2),
            (100, 2, 2),
            (1000, 2, 10),
        ]
        if n in args.images
        for d in ((1.5, 2.0, 2.5, 3.0, 3.6) if c == 2 else (2.0, 3.0, 4.5))
    ]
    means: dict[tuple, list] = {}
    for n, n_classes, distance, group_size in cases:
        repeats = args.repeats if n < 1000 else max(args.repeats // 4, 100)
        result = coverage(rng, n, n_classes, distance, repeats, group_size, args.plain_bca)
        accuracy = truths(distance, n_classes)["accuracy"]
        text = "  ".join(f"{k} {100 * v[0]:.1f} ({v[1]:.3f})" for k, v in result.items())
        print(
            f"n {n}, classes {n_classes}, groups of {group_size}, accuracy {accuracy:.3f}: {text}",
            flush=True,
        )
        for name, value in result.items():
            means.setdefault((n, n_classes, group_size, name), []).append(value[0])
    print("means over the accuracies")
    for (n, n_classes, group_size, name), values in means.items():
        print(
            f"  n {n}, classes {n_classes}, groups of {group_size}: {name} "
            f"{100 * np.mean(values):.1f} % (least {100 * min(values):.1f} %; "
            f"goal {100 * GOAL[0]:.0f}-{100 * GOAL[1]:.0f} %: "
            f"{'reached' if GOAL[0] <= np.mean(values) <= GOAL[1] else 'MISSED'})"
        )


if __name__ == "__main__":
    main()
