"""Sentences on the effects of a sweep's factors, and of its listed runs."""

from __future__ import annotations

from gellib.base.markup import in_markdown
from gellib.base.text import join_and
from gellib.evaluation import BETTER, NO_EVIDENCE, NOT_ENOUGH, PRACTICALLY_SAME, Effect
from gellib.plots.base import percent
from gellib.report.comparison import Comparison, parameter_label
from gellib.report.comparison.differences import MOST_LEVELS
from gellib.report.comparison.listed_runs import LISTED
from gellib.report.comparison.network_weights import weights_of_networks
from gellib.report.conclusions.cross_validated import would_decide
from gellib.report.conclusions.wording import count, percentage_points

_MOST_NAMED = 4
_OPEN = (NO_EVIDENCE, NOT_ENOUGH)


def factor_sentences(comparison: Comparison) -> list[str]:
    """Give means by level of each factor and which levels differ, then effects of listed runs."""
    if not comparison.comparable:
        return []
    factors = comparison.factors if len(comparison.of_grid(comparison.done)) else []
    found = [text for name in factors if (text := _factor(comparison, name))]
    return [*found, *_listed(comparison)]


def _factor(comparison: Comparison, factor: str) -> str:
    table, done = (comparison.of_grid(rows) for rows in (comparison.models, comparison.done))
    score = comparison.score
    found = comparison.cross_validated
    if found is not None:
        # As the verdicts: the mean over the repeats, out of fold also beside a test part.
        done = done[done["model_id"].isin(found.models)]
        done = done.assign(**{score: [found.interval(i).score for i in done["model_id"]]})
    name = in_markdown(parameter_label(factor))
    levels = done.groupby(factor, sort=False)[score].agg(["mean", "size"])
    levels = levels.sort_values("mean", ascending=False, kind="stable")
    absent = [in_markdown(x) for x in dict.fromkeys(table[factor]) if x not in levels.index]
    if len(levels) == 1:
        only = f"**By {name}:** every finished run has {in_markdown(levels.index[0])}"
        return f"{only}; there is no result for {', '.join(absent)}." if absent else ""
    shown = ", ".join(
        f"{in_markdown(level)} {percent(row['mean'])} ({count(int(row['size']), 'model')})"
        for level, row in levels.head(MOST_LEVELS).iterrows()
    )
    more = len(levels) - MOST_LEVELS
    adjective = comparison.adjective if found is None else "out-of-fold"
    text = f"**By {name}**, mean {adjective} {comparison.task.headline_words}: {shown}"
    if more > 0:
        return f"{text} and {count(more, 'level')} more, too many to compare in pairs."
    own = [effect for effect in comparison.effects if effect.factor == factor]
    return f"{text}. {_verdicts(comparison, own)}"


def _verdicts(comparison: Comparison, effects: list[Effect]) -> str:
    if not effects:
        return "No two of their runs differ in this setting alone, so nothing can be concluded."
    different = [e for e in effects if e.verdict not in (*_OPEN, PRACTICALLY_SAME)]
    sentences = [_difference(comparison, effect) for effect in different[:_MOST_NAMED]]
    if same := [e for e in effects if e.verdict == PRACTICALLY_SAME]:
        within = f"{100 * comparison.margin:g} percentage points"
        sentences.append(f"**Practically the same** (within {within}): {_steps(same)}.")
    if rest := [e for e in effects if e.verdict in _OPEN]:
        sentences.append(_no_evidence(comparison, rest))
    return " ".join(sentences)


def _difference(comparison: Comparison, effect: Effect) -> str:
    a, b, sign = in_markdown(effect.a), in_markdown(effect.b), 1
    if effect.verdict != BETTER:
        a, b, sign = b, a, -1
    low, high = sorted((sign * effect.low, sign * effect.high))
    difference = percentage_points(sign * effect.difference, low, high)
    alone = "this setting alone"
    if effect.factor == "pretrained_model" and weights_of_networks(comparison.records):
        alone = "this setting and in the weights that came with it"
    once = effect.seeds == 1 and comparison.cross_validated is None
    seed = " with this seed" if once else ""
    return (
        f"**{a} is better than {b}{seed}**: {difference} over {count(effect.pairs, 'pair')} of "
        f"runs that differ in {alone}."
    )


def _steps(effects: list[Effect]) -> str:
    if len(effects) > _MOST_NAMED:
        return count(len(effects), "pair") + " of levels"
    return join_and(
        [
            f"{in_markdown(e.a)} against {in_markdown(e.b)} "
            f"{percentage_points(e.difference, e.low, e.high)}"
            for e in effects
        ]
    )


def _no_evidence(comparison: Comparison, effects: list[Effect]) -> str:
    named = len(effects) <= _MOST_NAMED
    text = f"{_heading(comparison)}{':' if named else ' in'} {_steps(effects)}"
    if named:
        pairs_of = {e.pairs for e in effects}
        text += f", over {count(max(pairs_of), 'pair')} of runs"
        text += " at most" if len(pairs_of) > 1 else ""
    return f"{text}.{_needed(comparison, effects)}"


def _heading(comparison: Comparison) -> str:
    if comparison.cross_validated is not None:
        return "**Not enough evidence**"
    return "**No evidence of a difference**"


def _needed(comparison: Comparison, effects: list[Effect]) -> str:
    images = max((e.images_needed or 0 for e in effects), default=0)
    seeds = max((e.seeds_needed or 0 for e in effects), default=0)
    if not images:
        return ""
    if (found := comparison.cross_validated) is not None:
        return f" {would_decide([e.images_needed or 0 for e in effects], found.images)}."
    text = f" To detect a difference of 5 percentage points, about {images} test images"
    if seeds:
        text += f" and {count(seeds, 'seed')}"
    if (questions := len(comparison.effects)) > 1:
        return f"{text} would be needed, with all {questions} comparisons allowed for."
    return f"{text} would be needed."


def _listed(comparison: Comparison) -> list[str]:
    effects = [effect for effect in comparison.effects if effect.factor == LISTED]
    sentences = [
        f"**{in_markdown(e.a)}**, against {in_markdown(e.b)}: "
        f"{percentage_points(e.difference, e.low, e.high)}, {e.verdict}."
        for e in effects
        if e.verdict not in _OPEN
    ]
    rest = [e for e in effects if e.verdict in _OPEN]
    if rest:
        steps = join_and(
            [f"{in_markdown(e.a)} {percentage_points(e.difference, e.low, e.high)}" for e in rest]
        )
        sentences.append(
            f"{_heading(comparison)}, each against what it builds on: "
            f"{steps}.{_needed(comparison, rest)}"
        )
    return sentences
