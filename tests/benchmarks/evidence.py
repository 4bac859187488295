"""How often what is said of cross-validated sweeps is false, and how often it sees a difference.

    python tests/benchmarks/evidence.py [--sweeps 300] [--images 40 92] [--first 20000] [--quick]

Sweeps are simulated (`simulated_sweeps.py`): features whose truth is known, heads trained anew in
each fold of a real grouped, stratified cross-validation of 5 x 5 folds. Their true expected scores,
at the training size of the folds, differ by 0, 2, 5 or 10 points; the claims of
`gellib.evaluation.crossval` are held against them, beside those of a single split (60/20/20) with
`gellib.evaluation.find_indistinguishable`. Goals are printed beside the figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from simulated_sweeps import cell_of, draw, draw_holdout

from gellib.evaluation import ImageScores, find_indistinguishable
from gellib.evaluation.crossval import (
    BETTER,
    MARGIN,
    SAME,
    WORSE,
    compare,
    corrected_score,
    score_interval,
)

COUNTS = (3, 12, 30)
DIFFERENCES = (0.0, 0.02, 0.05, 0.1)
# Least and most, in percent; of "x holdout", times, at 92 images.
GOALS = {
    "false": ("false better or worse, of sweeps", 0.0, 5.0),
    "false same": ("false 'practically the same', of sweeps", 0.0, 5.0),
    "corrected": ("interval of the corrected score holds the true one", 93.0, 97.0),
    "single": ("interval of one configuration's score holds the true one", 93.0, 97.0),
    "x holdout": ("true differences seen, over those of a single split", 4.0, np.inf),
}


def measure(
    images: int, group: int, difference: float, sweeps: int, counts=COUNTS, first: int = 0
) -> list[dict[str, float]]:
    """Judge sweeps of one cell: one row for each number of configurations, rates in 0..1.

    The sweeps of fewer configurations are the first ones of those with more.
    """
    cell = cell_of(images, group, max(counts), difference, 0.8 if difference == 0.1 else 0.85)
    truth = np.array(cell.scores)
    rows = {count: [] for count in counts}
    for seed in range(first, first + sweeps):
        sweep = draw(cell, seed)
        held, held_groups = draw_holdout(cell, seed)
        for count in counts:
            rows[count].append(_judge(sweep, held, held_groups, truth[:count]))
    out = []
    for count, found in rows.items():
        means = {name: _mean([row[name] for row in found]) for name in found[0]}
        what = {"n": images, "group": group, "K": count, "points": 100 * difference}
        out.append(what | {"sweeps": sweeps} | means)
    return out


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _judge(sweep, held, held_groups, truth) -> dict[str, float]:
    count = len(truth)
    values, losses = sweep.values[:count], sweep.losses[:count]
    verdicts = compare(values, sweep.folds, sweep.groups, losses=losses, all_pairs=True)
    corrected = corrected_score(values, sweep.folds, sweep.groups, losses)
    alone = score_interval(values[0], sweep.folds, sweep.groups)
    said = [(v.verdict, truth[v.a] - truth[v.b]) for v in verdicts.pairs]
    wrong = [v == BETTER and d < 1e-9 or v == WORSE and d > -1e-9 for v, d in said]
    same = [v == SAME and abs(d) >= MARGIN - 1e-9 for v, d in said]
    # Power: the chosen configuration, or the higher of the single split, against those below it.
    seen = [v.verdict == BETTER for v in verdicts.against if truth[v.b] < truth[v.a] - 1e-9]
    ranking = find_indistinguishable(
        ImageScores(held[:, :count], tuple(map(str, range(count))), held_groups), draws=500
    )
    of = truth[[int(name) for name in ranking.names]]
    split = [not tied for tied, d in zip(ranking.tied, of, strict=True) if d < of[0] - 1e-9]
    best = truth[corrected.chosen]
    return {
        "false": any(wrong),
        "false same": any(same),
        "equal same": np.mean([v == SAME for v, d in said if abs(d) < 1e-9] or [np.nan]),
        "corrected": corrected.low <= best <= corrected.high,
        "bias": 100 * (corrected.score - best),
        "bias seen": 100 * (corrected.seen - best),
        "single": alone.low <= truth[0] <= alone.high,
        "seen": _share(seen, truth),
        "holdout": _share(split, truth),
        "holdout false": any(
            not tied and d > of[0] - 1e-9 for tied, d in zip(ranking.tied, of, strict=True)
        ),
    }


def _share(seen: list[bool], truth: np.ndarray) -> float:
    """Share of the differences that were seen; none where the worse one was taken for the best."""
    if truth.max() - truth.min() < 1e-9:
        return float("nan")
    return float(np.mean(seen)) if seen else 0.0


def beside_goal(name: str, value: float, unit: str = " %") -> str:
    """Write a figure with what the goal says of it."""
    _, least, most = GOALS[name]
    said = "reached" if least <= value <= most else "BELOW" if value < least else "ABOVE"
    goal = f"{least:.0f}-{most:.0f}" if np.isfinite(most) else f"{least:.0f} or more"
    return f"{name} {value:.1f}{unit} (goal {goal}: {said})"


def line(row: dict[str, float]) -> str:
    """One row of the table, rates in percent, each beside its goal."""
    head = f"n {row['n']:.0f}, groups of {row['group']:.0f}, K {row['K']:.0f}"
    parts = [f"{head}, {row['points']:.0f} points ({row['sweeps']:.0f} sweeps)"]
    for name in ("false", "false same", "corrected", "single"):
        if name != "false same" or row["points"] >= 100 * MARGIN:
            parts.append(beside_goal(name, 100 * row[name]))
    parts.append(f"bias {row['bias']:+.1f} (uncorrected {row['bias seen']:+.1f})")
    if np.isfinite(row["equal same"]):
        parts.append(f"equal called same {100 * row['equal same']:.1f} %")
    if np.isfinite(row["seen"]):
        parts.append(f"seen {100 * row['seen']:.1f} %, by holdout {100 * row['holdout']:.1f} %")
        if row["n"] == 92:
            times = row["seen"] / row["holdout"] if row["holdout"] else np.inf
            parts.append(beside_goal("x holdout", times if row["seen"] else 0.0, ""))
    return " | ".join(parts)


HEADINGS = (
    "images", "groups of", "sweeps per cell", "false better or worse (highest)",
    "false same (highest)", "corrected score held", "cells of it in 93-97", "one score held",
    "seen of 10 points", "by a split",
)  # fmt: skip


def summary(rows: list[dict[str, float]]) -> str:
    """One row of the table in docs/results.md: all cells of a number of images and size of groups.

    Rates in percent: means with the highest in brackets, or the lowest to the highest.
    """

    def rates(name: str) -> np.ndarray:
        return np.array([100 * row[name] for row in rows])

    corrected, of_10 = rates("corrected"), [row for row in rows if row["points"] == 10]
    near = (np.round(corrected, 1) >= 93) & (np.round(corrected, 1) <= 97)
    cells = [f"{rows[0]['n']:.0f}", f"{rows[0]['group']:.0f}", f"{rows[0]['sweeps']:.0f}"]
    cells += [
        f"{rates(name).mean():.1f} ({rates(name).max():.1f})" for name in ("false", "false same")
    ]
    cells += [f"{corrected.min():.0f} to {corrected.max():.0f}", f"{near.sum()} of {len(near)}"]
    cells += [f"{rates('single').min():.0f} to {rates('single').max():.0f}"]
    for name in ("seen", "holdout"):
        cells.append(" / ".join(f"{100 * row[name]:.1f}" for row in of_10))
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the goals, a line for each cell, and the table of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=300)
    parser.add_argument("--images", type=int, nargs="*", default=[40, 92, 250, 1000])
    parser.add_argument("--groups", type=int, nargs="*", default=[1, 5])
    parser.add_argument("--counts", type=int, nargs="*", default=list(COUNTS))
    parser.add_argument("--points", type=float, nargs="*", default=[100 * d for d in DIFFERENCES])
    parser.add_argument(
        "--first", type=int, default=0, help="seed of the first sweep; others have not been seen"
    )
    parser.add_argument("--quick", action="store_true", help="a sample of five minutes of CPU")
    args = parser.parse_args()
    if args.quick:
        args.sweeps, args.images, args.counts, args.points = 100, [40, 92], [3, 12], [0, 5, 10]
    for name, (what, _, _) in GOALS.items():
        print(f"{name}: {what}")
    table = ["| " + " | ".join(HEADINGS) + " |", "|-" * len(HEADINGS) + "|"]
    for images in args.images:
        for group in args.groups:
            rows = []
            for points in args.points:
                started = time.process_time()
                rows += measure(
                    images, group, points / 100, args.sweeps, tuple(args.counts), args.first
                )
                print(*map(line, rows[-len(args.counts) :]), sep="\n", flush=True)
                print(f"  CPU {time.process_time() - started:.0f} s", flush=True)
            table.append(summary(rows))
    print(*table, sep="\n")


if __name__ == "__main__":
    main()
