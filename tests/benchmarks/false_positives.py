"""How often the comparisons of a summary see a difference where there is none, by simulation.

    python tests/benchmarks/false_positives.py [--repeats 2000]
    python tests/benchmarks/false_positives.py --trained [--repeats 400] [--lead 0.6]

Images differ in how hard they are, networks in which images they find hard, runs of a network
agree with each other more than runs of different networks: so real answers behave. All models are
equally good on average, so every "better" or "worse" is false.

With `--trained` nothing is invented: features of images are drawn, split anew by each seed (or with
given test images), and ridge heads are trained on them, each from a bootstrap of its training
images in place of a random start. Configurations are exchangeable, so that their expected scores
are equal; `--lead` makes network a better, and the figures are then the power.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gellib.evaluation import (
    NO_EVIDENCE,
    ImageScores,
    distinguish_over_seeds,
    factor_effects,
    find_indistinguishable,
    sign_flip,
)

FACTORS = {"network": ("a", "b", "c"), "head": ("single", "multi"), "optimiser": ("adam", "sgd")}


def chance(logits: np.ndarray) -> np.ndarray:
    """Logistic function."""
    return 1 / (1 + np.exp(-logits))


def two_runs(rng: np.random.Generator, n: int, copies: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two equally good models; every image is there `copies` times, nearly alike."""
    hard = rng.normal(2, 1.5, n // copies)
    own = rng.normal(0, 1, (2, n // copies))
    p = np.repeat(chance(hard + own), copies, axis=1)
    if copies > 1:
        answers = np.repeat(rng.random((2, n // copies)), copies, axis=1)
        return tuple(answers < p)
    return tuple(rng.random((2, n)) < p)


def sweep(
    rng: np.random.Generator, n: int, seeds: int, lead: float = 0.0, noise: float = 0.5
) -> tuple[pd.DataFrame, ImageScores]:
    """A sweep of twelve configurations; with several seeds, each tests other images.

    `lead` is what network a has more than the others, `noise` what a seed adds to a run, in logits.
    """
    settings = list(itertools.product(*FACTORS.values()))
    fixed = seeds == 1
    images = n if fixed else 5 * n
    hard = rng.normal(2, 1.5, images)
    by_network = {name: rng.normal(0, 1, images) for name in FACTORS["network"]}
    rows, columns = [], []
    for seed in range(seeds):
        tested = np.arange(images) if fixed else rng.permutation(images)[:n]
        shared = {name: rng.normal(0, noise) if seeds > 1 else 0.0 for name in by_network}
        for network, head, optimiser in settings:
            logits = hard + by_network[network] + shared[network] + lead * (network == "a")
            right = np.full(images, np.nan)
            right[tested] = rng.random(n) < chance(logits[tested])
            name = f"{network}-{head}-{optimiser}-{seed}"
            rows.append((network, head, optimiser, seed, name, np.nanmean(right)))
            columns.append(right)
    table = pd.DataFrame(rows, columns=[*FACTORS, "seed", "name", "accuracy"])
    return table, ImageScores(np.stack(columns, axis=1), tuple(table["name"]))


def trained_sweep(
    rng: np.random.Generator,
    n: int,
    n_test: int,
    seeds: int,
    *,
    given: bool,
    lead: float = 0.0,
    size: int = 8,
) -> tuple[pd.DataFrame, ImageScores]:
    """Twelve configurations trained on `n` images; `given`: all seeds have the same test images."""
    settings = list(itertools.product(*FACTORS.values()))
    y = rng.permutation(np.arange(n) % 2) * 2.0 - 1
    clear = 1.2 * y + rng.normal(0, 1, n)
    features = {}
    for network in FACTORS["network"]:
        seen = clear + rng.normal(0, 0.6, n) + lead * y * (network == "a")
        features[network] = seen[:, None] + rng.normal(0, 2, (n, 4 * size))
    fixed = rng.permutation(n)
    rows, columns = [], []
    for seed in range(seeds):
        order = fixed if given else rng.permutation(n)
        test, pool = order[:n_test], rng.permutation(order[n_test:])
        train = pool[: int(0.8 * len(pool))]
        for number, (network, head, optimiser) in enumerate(settings):
            own = features[network][:, number % 4 * size : (number % 4 + 1) * size]
            start = rng.choice(train, size=len(train))
            x = np.column_stack([own[start], np.ones(len(start))])
            weights = np.linalg.solve(x.T @ x + 5 * np.eye(size + 1), x.T @ y[start])
            right = np.full(n, np.nan)
            right[test] = (own[test] @ weights[:-1] + weights[-1] > 0) == (y[test] > 0)
            name = f"{network}-{head}-{optimiser}-{seed}"
            rows.append((network, head, optimiser, seed, name, np.nanmean(right)))
            columns.append(right)
    table = pd.DataFrame(rows, columns=[*FACTORS, "seed", "name", "accuracy"])
    return table, ImageScores(np.stack(columns, axis=1), tuple(table["name"]))


TRAINED = tuple(
    (n, n_test, given, seeds)
    for n, n_test, given in ((92, 22, True), (92, 18, False), (400, 80, False), (3000, 1000, True))
    for seeds in (1, 3, 5)
)


def trained_rates(
    repeats: int, seed: int = 0, *, lead: float = 0.0, cases: Sequence[tuple] = TRAINED
) -> dict[str, float]:
    """Share of trained sweeps in which a factor's levels, or models, are told apart.

    With `lead`, only what is said of network a counts.
    """
    found = {}
    for n, n_test, given, seeds in cases:
        rng, effects, models = np.random.default_rng([seed, n, seeds]), [], []
        left_out = int(0.2 * (n - n_test)) if given else n_test
        ratio = left_out / (n - n_test - int(0.2 * (n - n_test)))
        for _ in range(repeats):
            table, scores = trained_sweep(rng, n, n_test, seeds, given=given, lead=lead)
            say = factor_effects(table, list(FACTORS), scores=scores, ratio=ratio)
            own = [e for e in say if not lead or "a" in (e.a, e.b)]
            effects.append(any(e.verdict != NO_EVIDENCE for e in own))
            members = {
                str(key): list(rows["name"])
                for key, rows in table.groupby(list(FACTORS), sort=False)
            }
            ranking = find_indistinguishable(scores.pooled(members), draws=500)
            if seeds > 1:
                ranking = distinguish_over_seeds(ranking, scores, members, ratio=ratio)
            others = [not (lead and name.startswith("('a'")) for name in ranking.names]
            models.append(not ranking.tied[others].all())
        what = f"{n} images, {n_test} {'given' if given else 'drawn'} test images, {seeds} seed"
        what += "s" * (seeds > 1)
        found[f"{what}: any effect"] = float(np.mean(effects))
        found[f"{what}: a model left out of the best"] = float(np.mean(models))
    return found


def rates(
    repeats: int,
    seed: int = 0,
    *,
    sizes: tuple[int, ...] = (22, 100, 1000),
    sweeps: tuple[tuple[int, int], ...] = ((22, 1), (100, 1), (100, 5), (1000, 5)),
) -> dict[str, float]:
    """Share of simulated sweeps in which something false is said."""
    rng = np.random.default_rng(seed)
    found: dict[str, float] = {}
    for n in sizes:
        pairs = (two_runs(rng, n) for _ in range(repeats))
        hits = [sign_flip(a.astype(int) - b.astype(int)) <= 0.05 for a, b in pairs]
        found[f"two runs, {n} images"] = float(np.mean(hits))
    hits = {"apart": [], "together": []}
    for _ in range(repeats):
        a, b = (x.astype(float) for x in two_runs(rng, 100, copies=4))
        hits["apart"].append(sign_flip(a - b) <= 0.05)
        hits["together"].append(sign_flip((a - b).reshape(-1, 4).sum(axis=1)) <= 0.05)
    found["two runs, 100 images, 4 alike each, copies taken for images"] = np.mean(hits["apart"])
    found["two runs, 100 images, 4 alike each, in groups"] = np.mean(hits["together"])
    few = max(1, repeats // 4)
    for n, seeds in sweeps:
        claims, by_pairs, by_images, out = [], [], [], []
        for _ in range(few):
            table, scores = sweep(rng, n, seeds)
            say = factor_effects(table, list(FACTORS), scores=scores)
            claims.append(any(effect.verdict != NO_EVIDENCE for effect in say))
            # Taken for one of the settings, a seed is no longer something to test over.
            flat = table.rename(columns={"seed": "repeat"})
            pairs = factor_effects(flat, list(FACTORS), blocks=("repeat",))
            by_pairs.append(any(effect.verdict != NO_EVIDENCE for effect in pairs))
            only = factor_effects(flat, list(FACTORS), scores=scores, blocks=("repeat",))
            by_images.append(any(effect.verdict != NO_EVIDENCE for effect in only))
            if seeds == 1:
                out.append(not find_indistinguishable(scores, draws=500).tied.all())
        what = f"a sweep of 12, {n} images, {seeds} seed{'s' * (seeds > 1)}"
        found[f"{what}: any effect"] = np.mean(claims)
        found[f"{what}: any effect, by pairs of runs alone"] = np.mean(by_pairs)
        found[f"{what}: any effect, by images alone"] = np.mean(by_images)
        if out:
            found[f"{what}: a model left out of the best"] = np.mean(out)
    return found


def main() -> None:
    """Print the rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--trained", action="store_true")
    parser.add_argument("--lead", type=float, default=0.0)
    args = parser.parse_args()
    if args.trained:
        print("power" if args.lead else "goal: at most 5 % of sweeps")
        parts = (trained_rates(args.repeats or 400, lead=args.lead, cases=[c]) for c in TRAINED)
    else:
        parts = iter([rates(args.repeats or 2000)])
    for found in parts:
        for what, rate in found.items():
            print(f"{100 * rate:5.1f} %  {what}", flush=True)


if __name__ == "__main__":
    main()
