"""How often a prediction set holds the true class, of real heads on features of known truth.

    python tests/benchmarks/prediction_sets.py [--repeats 100]

Features are normal around four centres per class, in 64 dimensions. Linear heads by L-BFGS, as
`opt_alg: lbfgs` trains them, are cross-validated (5 folds x 5 repeats, groups kept together); the
rule comes from their out-of-fold probabilities, and the sets from a head that is trained on all
images. Each simulation has other centres, and 1,200 or more new images per class.

Goals: 93 to 97 % of the new images of each class that has enough images have it in their set. Few
images leave no finer steps: with 25 of a class and one head, the set may miss 1 of 26, 96.2 %.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from gellib.evaluation import fit_prediction_sets

GOAL = 0.93, 0.97
SIZES = (50, 100, 500)
STRENGTHS = (0.01, 1.0)
DIM, CENTRES = 64, 4
# Share of each class, distance of the centres, images per group.
CASES: dict[str, tuple[tuple[float, ...], float, int]] = {
    "two classes, hard": ((0.5, 0.5), 4.0, 1),
    "two classes, easy": ((0.5, 0.5), 7.0, 1),
    "three classes": ((0.5, 0.3, 0.2), 6.0, 1),
    "groups of 5": ((0.5, 0.5), 5.0, 5),
}
Head = Callable[[np.ndarray], np.ndarray]


def draw(
    rng: np.random.Generator, centres: np.ndarray, groups: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw features of images in groups of `size`, from the class of each group: x, y, group."""
    place = centres[groups, rng.integers(CENTRES, size=len(groups))]
    own = 1.0 if size == 1 else np.sqrt(0.5)
    if size > 1:
        place = place + rng.normal(0, np.sqrt(0.5), place.shape)
    number = np.repeat(np.arange(len(groups)), size)
    x = place[number] + rng.normal(0, own, (len(number), DIM))
    return x, groups[number], number


def train_head(x: np.ndarray, y: np.ndarray, strength: float) -> Head:
    """Train a linear head on standardised features."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    fitted = LogisticRegression(C=strength, max_iter=500).fit((x - mean) / deviation, y)
    return lambda new: fitted.predict_proba((new - mean) / deviation)


def simulate(
    rng: np.random.Generator,
    n: int,
    shares: Sequence[float],
    distance: float,
    size: int,
    strength: float = 0.01,
) -> dict[str, Any]:
    """Cross-validate, fit rules and apply them to new images: what is held, single and empty."""
    k = len(shares)
    centres = rng.normal(0, distance / np.sqrt(DIM), (k, CENTRES, DIM))
    counts = np.maximum(np.round(np.array(shares) * n / size).astype(int), 5)
    x, y, groups = draw(rng, centres, np.repeat(np.arange(k), counts), size)
    new, truth, _ = draw(rng, centres, np.repeat(np.arange(k), 1200 // min(size, 3)), size)
    p = np.empty((5, len(y), k))
    for repeat in p:
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=int(rng.integers(1 << 30)))
        for inside, out in folds.split(x, y, groups):
            repeat[out] = train_head(x[inside], y[inside], strength)(x[out])
    given = train_head(x, y, strength)(new)
    found: dict[str, Any] = {"right": (given.argmax(axis=1) == truth).mean()}
    for name, used in (("repeats", p), ("their mean", p.mean(axis=0))):
        rule = fit_prediction_sets(y, used, groups)
        sets = rule.apply(given)
        held = sets[np.arange(len(truth)), truth]
        by_class = np.array([held[truth == c].mean() for c in range(k)])
        found[name] = {
            "held": np.where(rule.supported, by_class, np.nan),
            "single": (sets.sum(axis=1) == 1).mean(),
            "empty": (sets.sum(axis=1) == 0).mean(),
        }
    return found


def coverage(
    repeats: int,
    seed: int = 0,
    *,
    cases: Sequence[str] = tuple(CASES),
    sizes: Sequence[int] = SIZES,
    strengths: Sequence[float] = STRENGTHS,
) -> list[dict[str, Any]]:
    """Simulate each case at each size: one row each, with the share of images held by class."""
    rows = []
    for case in cases:
        for n in sizes:
            for strength in strengths:
                rng = np.random.default_rng([seed, n, list(CASES).index(case)])
                found = [simulate(rng, n, *CASES[case], strength) for _ in range(repeats)]
                row = {"case": case, "images": n, "lbfgs_c": strength}
                row["right"] = float(np.mean([one["right"] for one in found]))
                for name in ("repeats", "their mean"):
                    held = np.array([one[name]["held"] for one in found])
                    # A class that never has enough images stays NaN.
                    enough = np.isfinite(held).any(axis=0)
                    row[name] = [
                        float(np.nanmean(column)) if some else float("nan")
                        for column, some in zip(held.T, enough, strict=True)
                    ]
                    for kind in ("single", "empty"):
                        row[f"{name}, {kind}"] = float(np.mean([one[name][kind] for one in found]))
                rows.append(row)
    return rows


def main() -> None:
    """Print the share of new images whose set holds their class, beside the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=100)
    args = parser.parse_args()
    started = time.process_time()
    print(f"goal: {GOAL[0]:.0%} to {GOAL[1]:.0%} of each class; '-': too few images for a promise")
    for case in CASES:
        for row in coverage(args.repeats, cases=[case]):
            known = [held for held in row["repeats"] if np.isfinite(held)]
            met = all(GOAL[0] <= held <= GOAL[1] for held in known)
            print(
                f"{case}, {row['images']} images, lbfgs_c {row['lbfgs_c']},",
                f"right {row['right']:.0%}:",
                *(
                    f"{name}: held "
                    + " ".join("-" if np.isnan(x) else f"{x:.1%}" for x in row[name])
                    + f", single {row[f'{name}, single']:.0%}, empty {row[f'{name}, empty']:.1%};"
                    for name in ("repeats", "their mean")
                ),
                "-" if not known else "reached" if met else "MISSED",
                flush=True,
            )
    print(f"{time.process_time() - started:.0f} s of CPU")


if __name__ == "__main__":
    main()
