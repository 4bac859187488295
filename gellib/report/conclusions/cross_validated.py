"""Sentences on cross-validated configurations: the chosen one, what it is worth, four verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from gellib.base.text import join_and
from gellib.evaluation import crossval
from gellib.evaluation.crossval import Verdict
from gellib.plots.base import percent
from gellib.report.comparison import Comparison
from gellib.report.comparison.cross_validated import CrossValidated
from gellib.report.conclusions.wording import count, in_images, model_name, models

# A configuration counts as faster or smaller from this factor on; smaller gains are within the
# error of a timing.
_CHEAPER = 1.25


def basis(found: CrossValidated) -> str:
    """Name the images that scores rest on: `92 images`, or `200 images in 40 groups`."""
    images = count(found.images, "image")
    if found.groups == found.images:
        return images
    return f"{images} in {count(found.groups, 'group')}"


def chosen_out_of_fold(comparison: Comparison, found: CrossValidated) -> str:
    """Name the configuration chosen out of fold, and what it is worth."""
    best, word = comparison.done.iloc[0], comparison.task.headline_words
    return f"**Chosen by out-of-fold {word}: {model_name(best)}**. {worth(comparison, found)}"


def worth(comparison: Comparison, found: CrossValidated) -> str:
    """Say how good the chosen configuration is, of how many images, with its interval."""
    word, corrected = comparison.task.headline_words, found.corrected
    text = (
        f"Out of {basis(found)}, each predicted by heads that never saw it "
        f"({found.folds} folds, drawn {count(found.repeats, 'time')}), its {word} is "
        f"{percent(found.interval(found.chosen).score)}"
    )
    between = f"between {percent(corrected.low, 0)} and {percent(corrected.high, 0)}"
    if len(found.models) > 1:
        text += (
            f"; corrected for being the highest of {len(found.models)}, "
            f"**{percent(corrected.score)}, {between}** (95 % interval)."
        )
    else:
        text += f", **{between}** (95 % interval)."
    return text + on_test(comparison)


def on_test(comparison: Comparison) -> str:
    """Give the test score where a test part was given; empty without one."""
    if comparison.out_of_fold:
        return ""
    best, score = comparison.done.iloc[0], comparison.score
    what = f" On the test images, which chose nothing, its {comparison.task.headline_words} is "
    value = best[score]
    exact = comparison.task.exclusive and best.seeds == 1
    shown = in_images(value, best.n_test) if exact else percent(value)
    low, high = (float(best.get(f"{score}_{end}", float("nan"))) for end in ("low", "high"))
    if low != low:
        return f"{what}{shown}."
    return f"{what}{shown}, between {percent(low, 0)} and {percent(high, 0)}."


def verdict_sentences(comparison: Comparison, found: CrossValidated) -> list[str]:
    """Say which others are worse, practically the same, or not yet told apart from the chosen."""
    if len(found.models) < 2:
        return []
    by = grouped(found)
    within = f"{100 * found.margin:g} percentage points"
    clauses = []
    if worse := by.get(crossval.BETTER):
        clauses.append(f"better than {models(worse)}")
    if better := by.get(crossval.WORSE):
        clauses.append(f"worse than {models(better)}")
    if same := by.get(crossval.SAME):
        clauses.append(f"practically the same as {models(same)} (within {within})")
    text = f"The chosen model is {join_and(clauses)}." if clauses else ""
    if unclear := by.get(crossval.UNCLEAR):
        wanted = would_decide([v.images_needed or 0 for v in unclear.values()], found.images)
        text += f" Against {models(unclear)} there is not enough evidence. {wanted}."
    pairs = len(found.models) * (len(found.models) - 1) // 2
    allowed = f", all {pairs} pairs allowed for" if pairs > 1 else ""
    text = f"{text.strip()} (Tested over {basis(found)}{allowed}, at 5 %.)"
    cheap = cheaper_sentence(comparison, found)
    return [text, *([cheap] if cheap else [])]


def grouped(found: CrossValidated) -> dict[str, dict[int, Verdict]]:
    """By verdict on the chosen configuration, the others."""
    by: dict[str, dict[int, Verdict]] = {}
    for model, verdict in sorted(found.against.items()):
        by.setdefault(verdict.verdict, {})[model] = verdict
    return by


def would_decide(needed: Sequence[int], images: int) -> str:
    """Say how many images would decide, in round numbers.

    Where those that there are should have been enough, the difference is close to the margin.
    """
    open_ones = [rounded(n) for n in needed if n > images]
    if not open_ones:
        return "The difference is close to the margin, so that many more images would be needed"
    least, most = min(open_ones), max(open_ones)
    return f"About {least if least == most else f'{least} to {most}'} images would decide"


def deciding(verdict: Verdict, images: int) -> str:
    """Write the images that would decide as the cell of a table."""
    if not verdict.images_needed:
        return "–"
    return str(rounded(verdict.images_needed)) if verdict.images_needed > images else "many more"


def rounded(n: int) -> int:
    """Round up to two digits: an estimate is not known more exactly."""
    step = 10 ** max(0, len(str(n)) - 2)
    return -(-n // step) * step


def cheaper_sentence(comparison: Comparison, found: CrossValidated) -> str:
    """Name the cheapest configuration that is practically the same as the chosen one."""
    same = list(grouped(found).get(crossval.SAME, {}))
    rows = {int(row["model_id"]): row for _, row in comparison.done.iterrows()}
    own = rows[found.chosen]
    options = []
    for model in same:
        row = rows[model]
        faster, smaller = _ratio(row, own, "images_per_s"), _ratio(own, row, "parameters")
        if max(faster, smaller) >= _CHEAPER and min(faster, smaller) > 1 / _CHEAPER:
            options.append((faster * smaller, model, faster, smaller))
    if not options:
        return ""
    _, model, faster, smaller = max(options)
    gains = []
    if faster >= _CHEAPER:
        gains.append(f"{faster:.1f} times as fast")
    if smaller >= _CHEAPER:
        gains.append(f"{smaller:.1f} times smaller")
    return f"Practically the same and cheaper: {model_name(rows[model])}, {join_and(gains)}."


def _ratio(above: pd.Series, below: pd.Series, column: str) -> float:
    a, b = float(above.get(column, float("nan"))), float(below.get(column, float("nan")))
    return a / b if a > 0 and b > 0 else 1.0
