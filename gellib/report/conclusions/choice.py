"""Sentences on which model was chosen, which others are as good, and the baselines to beat."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gellib.base.markup import in_markdown
from gellib.evaluation import ALPHA, ENOUGH_IMAGES, crossval
from gellib.evaluation.crossval import Verdict
from gellib.plots.base import percent
from gellib.report.baselines import MAJORITY, STATISTICS
from gellib.report.comparison import Comparison
from gellib.report.comparison.reference import majority_of
from gellib.report.conclusions.wording import (
    count,
    in_images,
    model_name,
    models,
    percentage_points,
)


def share(comparison: Comparison, row: pd.Series) -> str:
    """Write a model's test score; an accuracy of one run also as a count of images."""
    value = row[comparison.score]
    if comparison.task.exclusive and row.seeds == 1:
        return in_images(value, row.n_test)
    over = f", mean of {row.seeds} seeds" if row.seeds > 1 else ""
    return f"{percent(value)}{over}, {int(row.n_test)} test images" + " each" * bool(over)


def chosen_sentence(comparison: Comparison) -> str:
    """Name the model chosen by validation, and give its test score."""
    done, score = comparison.done, comparison.score
    best = done.iloc[0]
    val = f"val_{score}"
    chosen_on = "images that choose" if "cv" in comparison.methods else "validation images"
    word, counted = comparison.task.headline_words, comparison.task.exclusive and best.seeds == 1
    text = f"**Chosen by validation {word}: {model_name(best)}**, "
    if counted and best.folds_done == 1:
        text += f"right on {in_images(best[val], best.n_val, chosen_on)}"
    else:
        text += f"{percent(best[val])} on the {chosen_on}"
    equal = done[done[val] >= best[val] - 1e-12]
    if len(equal) > 1:
        by_loss = (equal["val_loss"] > best.val_loss).sum() == len(equal) - 1
        decided = "lower validation loss" if by_loss else "validation loss, then the model number,"
        text += f", a tie with {models(equal['model_id'][1:])} that the {decided} decided"
    text += ". On the test images, which were not used for the choice, "
    text += "it is right on " if counted else f"its {word} is "
    text += f"**{share(comparison, best)}**."
    if best.seeds < comparison.seeds:
        text += f" Only {best.seeds} of the {comparison.seeds} seeds have finished for it."
    low, high = best.get(f"{score}_low", np.nan), best.get(f"{score}_high", np.nan)
    if low == low:
        basis = "these images and seeds" if best.seeds > 1 else "this number of images"
        text += (
            f" The {word} to expect on new images of the same kind, judged by {basis}, is between "
            f"{percent(low, 0)} and {percent(high, 0)} (95 % interval)."
        )
    return text


def reliability_sentence(comparison: Comparison) -> str:
    """Say whether the probabilities of the chosen run can be taken at their word."""
    name = comparison.done["runs"].iloc[0][0]
    found = next((r.calibration for r in comparison.records if r.name == name), None)
    if found is None:
        return ""
    if found.n_val >= ENOUGH_IMAGES and found.temperature == 1:
        return (
            "Its probabilities are used as the model gives them: no correction fits "
            f"{found.n_val} images better. Its calibration says how far they can be trusted."
        )
    if found.n_val >= ENOUGH_IMAGES:
        return (
            f"Its probabilities are calibrated on {found.n_val} images: of predictions with 90 %, "
            "about nine in ten should be right, on images of the same kind."
        )
    return (
        f"Its probabilities are not calibrated reliably: {found.n_val} images are too few "
        f"({ENOUGH_IMAGES} or more are needed), so 90 % need not mean right nine times in ten."
    )


def tied_sentences(comparison: Comparison) -> list[str]:
    """Say which models cannot be distinguished from the highest, and whether it was chosen."""
    done, score = comparison.done, comparison.score
    top = done[score].max()
    winners = sorted(done["model_id"][done[score] >= top - 1e-9])
    if len(winners) == len(done):
        text = f"All finished models have the same test {comparison.task.headline_words}"
        return [f"{text}, {percent(top)}: they cannot be ranked."]
    first = done[done["model_id"] == winners[0]].iloc[0]
    text = f"Highest test {comparison.task.headline_words}: {share(comparison, first)}, "
    text += f"by {models(winners)}{', a tie' if len(winners) > 1 else ''}. "
    ties = comparison.indistinguishable
    if ties is None:
        text += "Which models differ from it cannot be tested without the predictions of the runs."
        return [text]
    ids = np.array([int(name) for name in ties.names])
    tied = sorted(set(ids[ties.tied]) - set(winners))
    out = sorted(ids[~ties.tied])
    over = count(ties.groups, "test image" if ties.groups == ties.images else "group")
    over += " of test images" if ties.groups != ties.images else ""
    over += f" and {count(comparison.seeds, 'seed')}" if comparison.seeds > 1 else ""
    if tied:
        text += f"{models(tied).capitalize()} cannot be distinguished from it"
        text += (
            f"; {models(out)} {_verb(out)} worse" if out else ", so no model is shown to be best"
        )
    else:
        text += f"{models(out).capitalize()} {_verb(out)} worse"
    text += f" (paired test over {over}, adjusted for all pairs, 5 %)."
    left = len(done) - len(ids)
    if left:
        text += f" {count(left, 'model')} with lower validation scores were not tested."
    return [text, *_optimism(comparison, winners, top)]


def _verb(ids: list[int]) -> str:
    return "is" if len(ids) == 1 else "are"


def _optimism(comparison: Comparison, winners: list[int], top: float) -> list[str]:
    best, expected = comparison.done.iloc[0], comparison.optimism
    below = 100 * (top - best[comparison.score])
    text = "Choosing by the test images instead would be optimistic: "
    if int(best.model_id) in winners:
        text += "here it would have led to the same score"
    else:
        text += f"the highest test score is {below:.1f} percentage points above that of the chosen "
        text += "model"
    if expected is not None and comparison.model_scores is not None:
        text += (
            f"; with other test images, the highest of {len(comparison.model_scores.names)} "
            f"overstates itself by {100 * max(expected, 0):.1f} percentage points "
            "or more on average"
        )
    return [f"{text}. Report the test score of the model chosen by validation."]


def baseline_sentence(comparison: Comparison) -> str:
    """Give the scores of the commonest class and of image statistics, and who beats them."""
    found, done = comparison.baselines, comparison.done
    means = dict(found.means)
    if MAJORITY not in means and (value := majority_of(done)) is not None:
        means[MAJORITY] = value
    if MAJORITY not in means:
        return ""
    words = {
        MAJORITY: "Always predicting the commonest class of the training images",
        STATISTICS: "logistic regression on image statistics (no network)",
    }
    clauses = []
    for name, value in means.items():
        poor = sorted(done["model_id"][done[comparison.score] <= value + 1e-9])
        text = f"{words[name]} reaches {percent(value)}"
        if poor:
            text += f", which {models(poor)} {_does(poor)} not beat"
        clauses.append(text)
    text = "; ".join(clauses) + "."
    if STATISTICS in found.values:
        return f"{text} {_against(comparison, means[STATISTICS])}"
    why = found.problem or "the runs' predictions are not there"
    return f"{text} Image statistics were not evaluated: {in_markdown(why)}."


def _does(ids: list[int]) -> str:
    return "does" if len(ids) == 1 else "do"


def _against(comparison: Comparison, value: float) -> str:
    best = comparison.done.iloc[0]
    scores = comparison.baselines.values[STATISTICS]
    if comparison.cross_validated is not None:
        return _against_out_of_fold(comparison.cross_validated.against_scores(scores))
    p = comparison.against(int(best.model_id), scores)
    gap = 100 * (best[comparison.score] - value)
    if p is None:
        return ""
    side = "above" if gap >= 0 else "below"
    what = f"The chosen model is {abs(gap):.1f} percentage points {side} that"
    if p > ALPHA:
        return (
            f"{what}: no evidence of a difference (paired test, p = {p:.2g}), so these images do "
            "not show that a network is worth its cost."
        )
    verdict = "a network is better here" if gap > 0 else "the network is worse here"
    return f"{what}: {verdict} (paired test, p = {p:.2g})."


def _against_out_of_fold(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    gap = percentage_points(verdict.difference, verdict.low, verdict.high)
    meaning = {
        crossval.BETTER: "a network is better here",
        crossval.WORSE: "the network is worse here",
        crossval.SAME: "practically the same, so a network is not worth its cost here",
        crossval.UNCLEAR: "not enough evidence that a network is worth its cost",
    }
    return f"The chosen model against that: {gap}, {meaning[verdict.verdict]}."
