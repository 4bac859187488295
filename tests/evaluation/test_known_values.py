"""The numbers of fixed predictions: nobody who repeats an evaluation next year finds others.

What the methods promise is tested beside this, by formulas and simulations that allow some leeway;
here no constant and no sign may change unnoticed. After a change that is meant, and is said in
CHANGELOG.md, write the numbers anew, and look at what differs:

    python tests/evaluation/test_known_values.py
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gellib import evaluation as ev
from gellib.evaluation.active_learning import choose_next_images, label_uncertainty
from gellib.evaluation.conformal import conformal_limit, fewest_groups
from gellib.evaluation.crossval import (
    compare,
    compare_contrasts,
    corrected_score,
    score_interval,
)
from gellib.evaluation.extrapolation import extrapolate
from gellib.evaluation.label_savings import try_choice
from gellib.evaluation.learning_curve import LearningCurve, measure_learning_curve
from gellib.evaluation.resampling import bca, roc_auc_interval

FILE = Path(__file__).with_name("known_values.json")
CASES: dict[str, Callable[[], Any]] = {}


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


def predicted(n: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, probabilities that are right in about three of four, and groups of up to three."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    p = np.exp(rng.normal(size=(n, classes)) + 1.5 * np.eye(classes)[y])
    groups = [f"g{i}" if i < n // 2 else "" for i in np.sort(rng.integers(0, n // 2, n))]
    return y, p / p.sum(axis=1, keepdims=True), groups


def labelled(n: int = 50, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 3)) < [0.5, 0.3, 0.06]).astype(int)
    return y, np.clip(0.45 + 0.4 * (y - 0.5) + 0.3 * rng.normal(size=y.shape), 0, 1)


def cross_validated(images: int = 60, repeats: int = 3) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Scores of four configurations, (4, repeats, images)."""
    rng = np.random.default_rng(7)
    hard, own = rng.random(images), rng.random((4, 1, images))
    wobble = 0.05 * rng.standard_normal((4, repeats, images))
    mixed = np.where(rng.random(images) < 0.6, hard, own)
    values = (mixed + wobble < np.array([0.9, 0.88, 0.7, 0.5])[:, None, None]).astype(float)
    folds = np.stack([rng.permutation(images) % 5 for _ in range(repeats)])
    return values, folds, [f"g{i // 2}" if i < 40 else "" for i in range(images)]


@case
def two_classes():
    y, p, groups = predicted(40, 2, 1)
    found = {}
    for positive in ("", "a"):
        found[f"scores {positive}"] = ev.evaluate(y, p, ("a", "b"), positive=positive)
        found[f"alone {positive}"] = ev.intervals(y, p, ("a", "b"), positive=positive)
    found["grouped"] = ev.intervals(y, p, ("a", "b"), groups=groups, seed=1)
    found["classes"] = ev.class_intervals(y, p, ("a", "b"), groups=groups)
    return found


@case
def four_classes():
    y, p, groups = predicted(60, 4, 2)
    classes = tuple("abcd")
    return {
        "scores": ev.evaluate(y, p, classes),
        "alone": ev.intervals(y, p, classes),
        "grouped": ev.intervals(y, p, classes, groups=groups),
        "classes": ev.class_intervals(y, p, classes),
    }


@case
def several_labels():
    y, p = labelled()
    tuned = ev.tune_thresholds(y, p)
    groups = [f"g{i // 2}" for i in range(len(y))]
    return {
        "tuned": tuned._asdict(),
        "scores": ev.evaluate_multilabel(y, p, tuple("abc"), tuned.values),
        "plain": ev.evaluate_multilabel(y, p, tuple("abc")),
        "alone": ev.multilabel_intervals(y, p, tuned.values),
        "grouped": ev.multilabel_intervals(y, p, [0.5] * 3, groups=groups),
    }


@case
def calibration():
    found = {}
    for n, classes, seed in ((40, 2, 1), (200, 3, 3)):
        y, p, _ = predicted(n, classes, seed)
        sharp = p**3 / (p**3).sum(axis=1, keepdims=True)
        own = ev.fit_temperature(y, sharp)
        found[f"{n}"] = {
            "temperature": dataclasses.asdict(own),
            "scores": ev.calibration_scores(y, sharp),
            "bins": ev.reliability(y, p),
            "record": ev.calibration_record(y, sharp, p, own),
        }
    y, p = labelled(120)
    found["labels"] = {
        "temperature": dataclasses.asdict(ev.fit_temperature(y, p)),
        "scores": ev.calibration_scores(y, p),
        "bins": ev.reliability(y, p),
    }
    return found


@case
def prediction_sets():
    y, p, groups = predicted(150, 3, 5)
    several, shares = labelled(150)
    repeats = np.stack([p[:, 0], p[:, 1], np.where(np.arange(150) % 7, p[:, 2], np.nan)])
    rules = {
        "alone": ev.fit_prediction_sets(y, p),
        "grouped": ev.fit_prediction_sets(y, p, groups, level=0.8, source="validation"),
        "labels": ev.fit_prediction_sets(several, shares),
    }
    found: dict[str, Any] = {
        name: {"rule": rule.metadata(), "warning": rule.warning(tuple("abc"))}
        for name, rule in rules.items()
    }
    found["sets"] = rules["grouped"].apply(p[:20])
    found["labels of sets"] = rules["labels"].apply(shares[:20], exclusive=False)
    found["fewest"] = [fewest_groups(rate) for rate in (0.05, 0.1, 0.2, 1 / 3)]
    found["limits"] = [conformal_limit(repeats, np.arange(150) // 2, r) for r in (0.05, 0.1, 0.3)]
    found["texts"] = [
        ev.set_text(label, members, exclusive=exclusive)
        for label, members, exclusive in (
            ("a", ("a",), True), ("a", ("a", "b"), True), ("a", (), True), ("a", ("b",), True),
            ("a|b", ("a", "b"), False), ("a", ("a", "b"), False), ("", (), False),
        )
    ]  # fmt: skip
    return found


@case
def handing_over():
    y, p, _ = predicted(80, 3, 6)
    right = p.argmax(axis=1) == y
    return {
        "entropy": ev.entropy(p[:9]),
        "of labels": ev.label_entropy(labelled()[1][:9]),
        "coverage": ev.risk_coverage(ev.entropy(p), right),
        "errors": ev.error_detection(ev.entropy(p), right),
        "uncertain": label_uncertainty(p[:9]),
        "uncertain labels": label_uncertainty(labelled()[1][:9], exclusive=False),
    }


@case
def cross_validation():
    found = {}
    values, folds, groups = cross_validated()
    losses = [0.3, 0.2, 0.6, 0.9]
    for name, own in (("alone", None), ("grouped", groups)):
        found[name] = {
            "verdicts": compare(values, folds, own, losses=losses, all_pairs=True),
            "narrow": compare(values, folds, own, 0.2).against,
            "chosen": corrected_score(values, folds, own, losses),
            "scores": [score_interval(one, folds, own) for one in values],
        }
    contrasts = np.array([[0.5, 0.5, -0.5, -0.5], [1, 0, 0, -1], [0, 1, -1, 0]])
    found["contrasts"] = compare_contrasts(values, folds, groups, contrasts, 0.1, seed=3)
    once = values[:, :1], folds[:1]
    found["once"] = [compare(*once, groups), corrected_score(*once, seed=2)]
    few = values[:, :, :9], folds[:, :9]
    found["few"] = [compare(*few), corrected_score(*few), score_interval(few[0][0], few[1])]
    return found


def swept(seeds: int) -> tuple[pd.DataFrame, ev.ImageScores]:
    """Twelve runs or more, on 40 images each: two networks, two optimisers, three rates."""
    rng = np.random.default_rng(seeds)
    hard, rows, columns = rng.random(40), [], []
    for seed in range(seeds):
        for network, lead in (("x", 0.95), ("y", 0.6)):
            for optimiser in ("adam", "sgd"):
                for rate in (1, 2, 3):
                    right = (hard + 0.1 * rng.normal(size=40) < lead - 0.03 * rate).astype(float)
                    name = f"{network}{optimiser}{rate}-{seed}"
                    rows.append((network, optimiser, rate, seed, name, right.mean()))
                    columns.append(right)
    table = pd.DataFrame(rows, columns=["network", "opt", "rate", "seed", "name", "accuracy"])
    groups = tuple(f"g{i // 2}" if i < 20 else f"own{i}" for i in range(40))
    return table, ev.ImageScores(np.stack(columns, axis=1), tuple(table["name"]), groups)


@case
def factors():
    found: dict[str, Any] = {}
    names = ["network", "opt", "rate"]
    for seeds in (1, 3):
        table, scores = swept(seeds)
        found[f"images {seeds}"] = ev.factor_effects(table, names, scores=scores, ratio=0.25)
        found[f"pairs {seeds}"] = ev.factor_effects(table, names)
        found[f"optimism {seeds}"] = ev.optimism(scores)
        found[f"ranking {seeds}"] = ranking = ev.find_indistinguishable(scores)
    members = {
        name: [f"{name}-{seed}" for seed in range(3)]
        for name in dict.fromkeys(name.rsplit("-")[0] for name in ranking.names)
    }
    pooled = ev.find_indistinguishable(scores.pooled(members))
    found["over seeds"] = ev.distinguish_over_seeds(pooled, scores, members, ratio=0.25)
    apart = scores.values.copy()
    apart[:20, ::2] = apart[20:, 1::2] = np.nan
    half = ev.ImageScores(apart, scores.names)
    found["apart"] = ev.factor_effects(table, names, scores=half, ratio=0.25)
    return found


@case
def over_seeds():
    values = np.random.default_rng(9).normal(0.03, 0.2, (40, 5)).clip(-1, 1)
    some = np.where(np.random.default_rng(8).random((40, 5)) < 0.3, np.nan, values)
    groups = [f"g{i // 2}" for i in range(40)]
    kinds = {"all": (values, None), "some": (some, groups), "one": (values[:, :1], None)}
    found: dict[str, Any] = {
        f"{name} {ratio}": ev.mean_error(*own, ratio=ratio)
        for name, own in kinds.items()
        for ratio in (0.0, 0.25)
    }
    scores, low, high = [0.8, 0.85, 0.9], [0.7, 0.74, 0.8], [0.88, 0.92, 0.95]
    found["p"] = [own.p_value() for own in found.values()]
    found["shared"] = ev.shared_images(np.isfinite(some))
    found["same"] = ev.interval_over_seeds(scores, low, high)
    found["others"] = ev.interval_over_seeds(scores, low, high, repeats=2.5, common=0.3, ratio=0.25)
    found["alone"] = ev.interval_over_seeds(scores[:1], low[:1], high[:1])
    return found


@case
def pairs_of_runs():
    rng = np.random.default_rng(11)
    many = rng.normal(0.3, 1, 25)
    whole = np.array([1, 1, -1, 1, 1, 0, 1, 1, 2, -0.5])
    return {
        "flips": [ev.sign_flip(d) for d in (many, many[:12], whole, whole / 3, many[:2], [0, 0])],
        "seeded": ev.sign_flip(many, draws=500, seed=3),
        "holm": ev.holm([0.01, 0.04, 0.03, 0.5]),
        "interval": [ev.mean_interval(many), ev.mean_interval(many, 0.8)],
        "t": [ev.t_test(many), ev.t_test([0.5, 0.5]), ev.t_test([0.0, 0.0])],
        "wilson": [ev.wilson(k, n) for k, n in ((0, 5), (3, 7), (99, 100), (4.5, 9.5))],
        "images": [ev.images_needed(*own) for own in ((0.2,), (0.2, 0.1), (0.0,), (0.05, 0.02))],
        "of many": [ev.images_needed(0.2, questions=k) for k in (2, 6, 30)],
        "seeds": [ev.seeds_needed(*own) for own in ((0.04,), (0.1, 0.04), (0.0,))],
        "seeds of many": [ev.seeds_needed(0.05, questions=k) for k in (2, 6)],
        "variance": [ev.variance_of_mean(many, n) for n in (25, 50)],
        "of few": [ev.variance_of_mean(own, len(own)) for own in ([1], [1, 3])],
        "groups": ev.group_numbers(["a", "", "b", "a", None, "b"], 6),
        "sums": ev.group_sums(whole, list("aabbccddee")),
    }  # fmt: skip


@case
def labels_saved():
    rng = np.random.default_rng(18)
    y = np.arange(90) % 2
    return try_choice(rng.normal(size=(90, 4)) + y[:, None], y, np.arange(90), trials=2)


@case
def many_seeds():
    return [ev.seeds_needed(0.2, 0.02), ev.seeds_needed(5.0, 0.02, questions=2)]


@case
def resampling():
    y, p, _ = predicted(40, 3, 12)
    truth, own = np.eye(3)[y] > 0, np.arange(40)
    values = np.random.default_rng(13).exponential(size=30)
    perfect = np.where(truth[:, :1], 0.9, 0.1)
    return {
        "areas": [
            roc_auc_interval(truth, p, own), roc_auc_interval(truth[:, :1], p[:, :1], own // 2),
            roc_auc_interval(truth[:, :1], p[:, :1], own % 2),
            roc_auc_interval(truth[:, :1], perfect, own),
            roc_auc_interval(truth[:, :1], 1 - perfect, own),
            roc_auc_interval(truth[:, :1], perfect, own, effect=2.0),
            roc_auc_interval(np.column_stack([truth, own >= 0]), p[:, [0, 1, 2, 0]], own),
        ],
        "mean": bca(lambda w: (w @ values) / w.sum(axis=1), 30, np.random.default_rng(1)),
        "ratio": bca(
            lambda w: (w @ values[::-1]) / (w @ values), 30, np.random.default_rng(2)
        ),
        "many": bca(lambda w: w[:, :400].mean(axis=1), 500, np.random.default_rng(3)),
    }  # fmt: skip


@case
def extrapolation():
    luck, sizes = np.random.default_rng(14).random(120), np.array([20.0, 28, 40, 57, 80, 96])
    wobble = 0.05 * np.random.default_rng(15).normal(size=(6, 4, 120))
    found = {}
    for chance in (0.0, 0.5):
        errors = 0.9 * sizes**-0.35
        scores = (luck + wobble >= errors[:, None, None]).astype(float)
        curve = LearningCurve(sizes, scores, np.arange(120) // 2, chance)
        for level in (0.9, 0.5):
            found[f"{chance} {level}"] = extrapolate(curve, np.array([60, 200, 800]), level=level)
    right = LearningCurve(sizes, np.ones((6, 1, 120)), np.arange(120), 0.5)
    found["all right"] = extrapolate(right, np.array([200]), seed=2)
    return found


@case
def learning_curve():
    rng = np.random.default_rng(16)
    y = np.arange(60) % 3
    x = rng.normal(size=(60, 6)) + 2.5 * np.eye(6)[y]
    curve = measure_learning_curve(x, y, np.arange(60) // 2, repeats=1)
    assert curve is not None
    return {"sizes": curve.sizes, "means": np.round(curve.means, 2), "chance": curve.chance}


@case
def next_images():
    rng = np.random.default_rng(17)
    x, p = rng.normal(size=(80, 5)), rng.dirichlet([1, 1, 1], 80)
    choice = choose_next_images(label_uncertainty(p), x, np.arange(80) // 2, 12, seed=1)
    kept = choose_next_images(
        label_uncertainty(p), x, np.arange(80), 6, drawn_from=np.arange(80) < 40, random_share=0.5
    )
    return [choice, kept]


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the numbers and texts of anything, each with its place."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}/{key}")
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from flat(inner, f"{name}/{number}")
    else:
        yield name, value


def same(value: Any, known: Any) -> bool:
    if not isinstance(value, float) or not isinstance(known, float):
        return bool(value == known)
    return bool(np.isclose(value, known, rtol=1e-6, atol=1e-9, equal_nan=True))


SLOW = ["labels_saved", "many_seeds"]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in CASES]
)
def test_numbers_stay_what_they_are(name):
    known = json.loads(FILE.read_text(encoding="utf-8"))[name]
    found = dict(flat(CASES[name]()))
    assert found.keys() == known.keys()
    wrong = {
        place: (value, known[place])
        for place, value in found.items()
        if not same(value, known[place])
    }
    assert wrong == {}


if __name__ == "__main__":
    made = {name: dict(flat(function())) for name, function in CASES.items()}
    FILE.write_text(json.dumps(made, indent=0) + "\n", encoding="utf-8")
