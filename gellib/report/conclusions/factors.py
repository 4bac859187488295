"""Sentences on the effects of a sweep's factors, and of its listed runs."""

from __future__ import annotations

from gellib.base.text import join_and
from gellib.evaluation import BETTER, NO_EVIDENCE, Effect
from gellib.plots.base import percent
from gellib.report.comparison import Comparison, words
from gellib.report.comparison.compare import MOST_LEVELS
from gellib.report.comparison.listed_runs import LISTED
from gellib.report.conclusions.wording import count, percentage_points

_MOST_NAMED = 4


def factor_sentences(comparison: Comparison) -> list[str]:
    """Give means by level of each factor and which levels differ, then effects of listed runs."""
    factors = comparison.factors if len(comparison.of_grid(comparison.done)) else []
    found = [text for name in factors if (text := _factor(comparison, name))]
    return [*found, *_listed(comparison)]


def _factor(comparison: Comparison, factor: str) -> str:
    table, done = (comparison.of_grid(rows) for rows in (comparison.models, comparison.done))
    score = comparison.score
    name, levels = words(factor), done.groupby(factor, sort=False)[score].agg(["mean", "size"])
    levels = levels.sort_values("mean", ascending=False, kind="stable")
    absent = [str(x) for x in dict.fromkeys(table[factor]) if x not in levels.index]
    if len(levels) == 1:
        only = f"**By {name}:** every finished run has {levels.index[0]}"
        return f"{only}; there is no result for {', '.join(absent)}." if absent else ""
    shown = ", ".join(
        f"{level} {percent(row['mean'])} ({count(int(row['size']), 'model')})"
        for level, row in levels.head(MOST_LEVELS).iterrows()
    )
    more = len(levels) - MOST_LEVELS
    text = f"**By {name}**, mean test {comparison.task.headline_words}: {shown}"
    if more > 0:
        return f"{text} and {count(more, 'level')} more, too many to compare in pairs."
    own = [effect for effect in comparison.effects if effect.factor == factor]
    return f"{text}. {_verdicts(own, len(comparison.effects))}"


def _verdicts(effects: list[Effect], questions: int) -> str:
    if not effects:
        return "No two of their runs differ in this setting alone, so nothing can be concluded."
    different = [effect for effect in effects if effect.verdict != NO_EVIDENCE]
    sentences = [_difference(effect) for effect in different[:_MOST_NAMED]]
    rest = [effect for effect in effects if effect.verdict == NO_EVIDENCE]
    if rest:
        sentences.append(_no_evidence(rest, questions))
    return " ".join(sentences)


def _difference(effect: Effect) -> str:
    a, b, sign = effect.a, effect.b, 1
    if effect.verdict != BETTER:
        a, b, sign = b, a, -1
    low, high = sorted((sign * effect.low, sign * effect.high))
    difference = percentage_points(sign * effect.difference, low, high)
    seed = " with this seed" if effect.seeds == 1 else ""
    return (
        f"**{a} is better than {b}{seed}**: {difference} over {count(effect.pairs, 'pair')} of "
        "runs that differ in this setting alone."
    )


def _no_evidence(effects: list[Effect], questions: int) -> str:
    shown = effects if len(effects) <= _MOST_NAMED else []
    pairs = join_and(
        [f"{e.a} against {e.b} {percentage_points(e.difference, e.low, e.high)}" for e in shown]
        or [f"{count(len(effects), 'pair')} of levels"]
    )
    text = f"**No evidence of a difference**{':' if shown else ' in'} {pairs}"
    if shown:
        pairs_of = {e.pairs for e in shown}
        text += f", over {count(max(pairs_of), 'pair')} of runs"
        text += " at most" if len(pairs_of) > 1 else ""
    return f"{text}.{_needed(effects, questions)}"


def _needed(effects: list[Effect], questions: int) -> str:
    images = max((e.images_needed or 0 for e in effects), default=0)
    seeds = max((e.seeds_needed or 0 for e in effects), default=0)
    if not images:
        return ""
    text = f" To detect a difference of 5 percentage points, about {images} test images"
    if seeds:
        text += f" and {count(seeds, 'seed')}"
    if questions > 1:
        return f"{text} would be needed, with all {questions} comparisons allowed for."
    return f"{text} would be needed."


def _listed(comparison: Comparison) -> list[str]:
    effects = [effect for effect in comparison.effects if effect.factor == LISTED]
    sentences = [
        f"**{e.a}**, against {e.b}: {percentage_points(e.difference, e.low, e.high)}, {e.verdict}."
        for e in effects
        if e.verdict != NO_EVIDENCE
    ]
    rest = [e for e in effects if e.verdict == NO_EVIDENCE]
    if rest:
        steps = join_and([f"{e.a} {percentage_points(e.difference, e.low, e.high)}" for e in rest])
        sentences.append(
            "**No evidence of a difference**, each against what it builds on: "
            f"{steps}.{_needed(rest, len(comparison.effects))}"
        )
    return sentences
