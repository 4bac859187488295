"""What the results of a sweep say, in sentences computed from its table alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from gellib.plots.base import percent, three_digits
from gellib.plots.summary import FACTORS, id_ranges

# Of two models, one or two images more is what the draw of the test images gives or takes.
FEW_IMAGES = 2
CANNOT_TELL = "within what one or two images make up, so it cannot be told"


def wilson(right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score (1927), which holds at 0 and at `n` of `n` too."""
    interval = binomtest(int(right), int(n)).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def in_images(share: float, n: int, what: str = "test images") -> str:
    """A share of 0..1 as percent and as a count: `95.5 % = 21 of 22 test images`."""
    return f"{percent(share)} = {round(share * n)} of {int(n)} {what}"


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """Return the finished runs, best first: validation accuracy, then validation loss."""
    done = table[table["status"] == "done"]
    keys = ["val_accuracy", "val_loss", "model_id"]
    return done.sort_values(keys, ascending=[False, True, True], kind="stable")


def model_name(row: Any) -> str:
    """Name a row of the table: `model 16 (gpu, resnet18, multi, sgd)`."""
    parts = (row.hardware_type, row.pretrained_model, row.classifier_head, row.opt_alg)
    return f"model {row.model_id} ({', '.join(map(str, parts))})"


def models(ids: Iterable[int]) -> str:
    """Name several models: `models 1, 4–7`."""
    ids = list(ids)
    return f"model{'' if len(ids) == 1 else 's'} {id_ranges(ids)}"


def count(n: int, noun: str) -> str:
    """Write a number with its noun: `1 run`, `12 runs`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"


def conclusions(table: pd.DataFrame) -> list[str]:
    """Say in sentences what the results say: which run won, by how much, in how many images.

    Nothing is said that the table denies: ties are named, and where the difference is one or two
    images it is said that it cannot be told. Means by factor are facts of this sweep, not laws.
    """
    done = finished(table)
    states = table["status"].tolist()
    tally = f"{len(done)} of {count(len(table), 'run')} finished"
    absent = [
        f"{models(table.loc[table['status'] == s, 'model_id'])} {s}"
        for s in ("skipped", "failed")
        if s in states
    ]
    sentences = [f"{'; '.join([tally, *absent])}."]
    if done.empty:
        return [*sentences, "No run has finished, so nothing can be said about the models."]
    warned = done[done["weights_warning"].fillna("") != ""]
    if len(warned):
        sentences.append(
            f"**The weights of {models(warned['model_id'])} carry a warning (see above), which "
            "comes before everything that follows.**"
        )
    sentences.append(_chosen(done))
    if len(done) == 1:
        return [*sentences, "Only one run has finished, so there is nothing to compare it with."]
    sentences.append(_next(done))
    if not _same_test_images(done):
        sentences.append(
            "The finished runs were not tested on the same images, so their test accuracies are "
            "not compared."
        )
        return sentences
    sentences += [_highest(done), _baseline(done)]
    sentences += [text for factor in FACTORS if (text := _factor(table, done, factor))]
    sentences += _times(done)
    seeds = done["seed"].nunique()
    sentences.append(
        f"The means are what these {len(done)} runs gave, with {count(seeds, 'seed')}; "
        "no test of significance was made."
    )
    return sentences


def _chosen(done: pd.DataFrame) -> str:
    best = done.iloc[0]
    equal = done[done["val_accuracy"] >= best.val_accuracy - 1e-12]
    text = f"**Chosen by validation accuracy: {model_name(best)}**, right on "
    text += f"{in_images(best.val_accuracy, best.n_val, 'validation images')}"
    if len(equal) > 1:
        by_loss = (equal["val_loss"] > best.val_loss).sum() == len(equal) - 1
        decided = "lower validation loss" if by_loss else "validation loss, then the model number,"
        others = models(equal["model_id"][1:])
        text += f", a tie with {others} that the {decided} decided"
    low, high = wilson(round(best.accuracy * best.n_test), best.n_test)
    text += (
        ". On the test images, which had no part in the choice, it is right on "
        f"**{in_images(best.accuracy, best.n_test)}**. With that many images the accuracy to "
        f"expect on new ones of the same kind is between {percent(low, 0)} and {percent(high, 0)} "
        "(95 % Wilson interval)."
    )
    return text


def _next(done: pd.DataFrame) -> str:
    best, second = done.iloc[0], done.iloc[1]
    if best.n_val != second.n_val:
        return f"The next by validation is {model_name(second)}, validated on other images."
    n = int(best.n_val)
    a, b = round(best.val_accuracy * n), round(second.val_accuracy * n)
    text = f"The next by validation is {model_name(second)}, "
    if a == b:
        return f"{text}right on as many validation images: which is better cannot be told."
    text += f"right on {count(a - b, 'validation image')} fewer"
    return f"{text}{_verdict(a, b, n)}."


def _verdict(a: int, b: int, n: int) -> str:
    """Say what a lead of `a` over `b` right answers of `n` is worth."""
    if a - b <= FEW_IMAGES:
        return f": {CANNOT_TELL} which is better"
    if wilson(a, n)[0] <= wilson(b, n)[1]:
        return "; their 95 % intervals overlap, so this sweep does not settle which is better"
    return "; their 95 % intervals do not overlap"


def _same_test_images(done: pd.DataFrame) -> bool:
    return len({tuple(np.sum(matrix, axis=1)) for matrix in done["conf_mat"]}) == 1


def _highest(done: pd.DataFrame) -> str:
    n = int(done["n_test"].iloc[0])
    right = (done["accuracy"] * n).round().astype(int)
    top, low = right.max(), right.min()
    ids = done["model_id"]
    if top == low:
        return (
            f"All finished runs have the same test accuracy, {in_images(top / n, n)}: "
            "which is better cannot be told."
        )
    winners = sorted(ids[right == top])
    tie = ", a tie" if len(winners) > 1 else ""
    text = f"Highest test accuracy: {in_images(top / n, n)}, by {models(winners)}{tie}. "
    close = sorted(ids[(right < top) & (right >= top - FEW_IMAGES)])
    if close:
        verb = "is" if len(close) == 1 else "are"
        text += f"{models(close).capitalize()} {verb} at most {FEW_IMAGES} test images below: "
        text += f"{CANNOT_TELL} which of these is better. "
    else:
        text += f"Every other run is right on at least {top - right[right < top].max()} fewer. "
    below = top - right.iloc[0]
    if below:
        text += (
            f"The run chosen by validation is {count(below, 'test image')} below the highest; the "
            f"highest test score of {len(done)} runs is picked by luck too, so the chosen run's "
            "is the one to quote. "
        )
    return f"{text}Lowest: {in_images(low / n, n)}, by {models(sorted(ids[right == low]))}."


def _baseline(done: pd.DataFrame) -> str:
    per_class = np.sum(done["conf_mat"].iloc[0], axis=1)
    n, most = int(per_class.sum()), int(per_class.max())
    right = (done["accuracy"] * n).round().astype(int)
    text = f"Always naming the commonest class would be right on {in_images(most / n, n)}; "
    poor = sorted(done["model_id"][right <= most])
    if not poor:
        return f"{text}every finished run is right on more."
    verb = "is" if len(poor) == 1 else "are"
    return f"{text}{models(poor)} {verb} right on no more than that."


def _factor(table: pd.DataFrame, done: pd.DataFrame, factor: str) -> str:
    name = FACTORS[factor]
    means = done.groupby(factor)["accuracy"].agg(["mean", "size"]).sort_values(
        "mean", ascending=False, kind="stable"
    )  # fmt: skip
    absent = [str(level) for level in dict.fromkeys(table[factor]) if level not in means.index]
    if len(means) == 1:
        only = f"**By {name}:** every finished run has {means.index[0]}"
        return f"{only}; nothing can be said about {', '.join(absent)}." if absent else ""
    listed = ", ".join(
        f"{level} {percent(row['mean'])} ({count(int(row['size']), 'run')})"
        for level, row in means.iterrows()
    )
    text = f"**By {name}**, mean test accuracy: {listed}. "
    first, last = means.index[0], means.index[-1]
    n = int(done["n_test"].iloc[0])
    images = (means["mean"].iloc[0] - means["mean"].iloc[-1]) * n
    if images < 1e-9:
        return f"{text}The means are equal."
    text += f"{first} is ahead of {last} by {100 * images / n:.1f} points on average"
    if images <= FEW_IMAGES + 1e-9:
        text += f", {images:.1f} of {n} test images: {CANNOT_TELL} which is better"
    else:
        text += f", {images:.1f} of {n} test images"
    return f"{text}. {_pairs(done, factor, first, last)}"


def _pairs(done: pd.DataFrame, factor: str, first: Any, last: Any) -> str:
    """Count the pairs of runs that differ in one factor alone: are the means like for like?"""
    others = [name for name in FACTORS if name != factor] + ["seed"]
    a, b = (done[done[factor] == level].set_index(others)["accuracy"] for level in (first, last))
    if not (a.index.is_unique and b.index.is_unique):
        return "Runs with equal settings here differ in others, so pairs are not counted."
    both = a.index.intersection(b.index)
    if both.empty:
        return "No two of their runs differ in nothing else, so the means compare unlike runs."
    gap = (a[both] - b[both]).round(9)
    up, same, down = int((gap > 0).sum()), int((gap == 0).sum()), int((gap < 0).sum())
    text = (
        f"In {count(len(both), 'pair')} of runs that differ in nothing else, {first} is higher in "
        f"{up}, equal in {same} and lower in {down}."
    )
    if len(both) < max(len(a), len(b)):
        text += " The other runs have no counterpart, so the means are not quite like for like."
    return text


def _times(done: pd.DataFrame) -> list[str]:
    sentences = []
    for device, rows in done.groupby("hardware_type", sort=False):
        means = rows.groupby("pretrained_model")[["training_time_mins", "inference_time_secs"]]
        means = means.mean().sort_values("training_time_mins")
        train = ", ".join(f"{m} {three_digits(60 * r.iloc[0])} s" for m, r in means.iterrows())
        infer = ", ".join(f"{m} {three_digits(r.iloc[1])} s" for m, r in means.iterrows())
        sentences.append(
            f"Mean times on the {device}: to train {train}; to predict all test images {infer}."
        )
    if (done["features_s"] > 0).any():
        sentences.append(
            "A time to train counts the features of the images as if the run had computed them by "
            "itself; runs of a network share them, so the sweep took less than the sum."
        )
    return sentences
