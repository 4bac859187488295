"""How a run was evaluated and chosen, in past tense; numbers are from its record and its sweep."""

from __future__ import annotations

from gellib.base.markup import in_markdown
from gellib.base.text import join_and, join_some, shorten
from gellib.plots.base import percent
from gellib.report.comparison import parameter_label
from gellib.report.comparison.network_weights import weights_of_networks, weights_text
from gellib.report.conclusions.wording import count
from gellib.report.handover.data_sentences import units
from gellib.report.handover.references import cite
from gellib.report.handover.reported import Measured, Reported
from gellib.runs.ranking import RANKED_DIGITS, score_column

_MOST_VALUES = 4
_MOST_FACTORS = 4
_LONGEST_VALUE = 30
_DELONG = f"DeLong's{cite('delong1988')}"
_NEWCOMBE = f"Newcombe's{cite('newcombe2006')}"


def evaluation_sentence(found: Reported) -> str:
    """Say how the images were divided for training and evaluation."""
    splits = found.splits
    if not found.crossed:
        parts = {"train": "training", "val": "validation", "test": "test"}
        sizes = join_and(f"{splits[name]} {word}" for name, word in parts.items() if name in splits)
        text = f"The images were divided into {sizes} images"
        if len(found.seeds) > 1 and found.comparison.ratio:
            text += ", anew for each seed"
        if found.config["split"] == "kfold":
            text += f"; {_folds(found)}"
        return f"{text}."
    own, n = found.record.evaluation, splits["cv"]
    grouped = (found.groups or n) < n
    text = (
        f"Performance was estimated by {own.folds}-fold cross-validation over {n} images, "
        f"stratified by {'class' if found.exclusive else 'label'}"
    )
    if own.repeats > 1:
        text += f" and repeated {own.repeats} times with new folds"
    text += f"; each image was predicted by models trained without it{' or its group' * grouped}"
    text += ". The final model was trained on all of them"
    text += " and the further training images" * bool(found.record.data.extra.images)
    if test := splits.get("test"):
        text += f" and predicted the {count(test, 'image')} of a given test part, kept apart"
    return f"{text}."


def _folds(found: Reported) -> str:
    done, folds = found.comparison.done, found.config["folds"]
    pooled = int(done.iloc[0].get("folds_done", 1)) if len(done) else 1
    if pooled > 1:
        return f"{pooled} of {folds} folds were tested in turn and their predictions pooled"
    return f"the test images were fold {found.config['fold'] + 1} of {folds}"


def choice_sentence(found: Reported) -> str:
    """Say what the configuration was chosen from and by; empty for a run alone."""
    comparison = found.comparison
    chosen_from = len(comparison.done)
    seeds = found.seeds
    parts = []
    if len(seeds) > 1:
        parts.append(f"Training was repeated with {len(seeds)} random seeds, and scores averaged.")
    if found.of_sweep and chosen_from > 1:
        by = "out of fold" if comparison.choice == "out-of-fold" else "on the validation images"
        text = (
            f"Of {chosen_from} configurations{_factors(found)}, the one with the highest "
            f"{found.metric} {by} was chosen{_equals(found)}"
        )
        if found.corrected is not None:
            text += (
                ", and its score was corrected for the choice by bootstrap over "
                f"{units(found)}{cite('tsamardinos2018')}"
            )
        elif found.tested is not None:
            text += "; test images chose nothing"
        parts.append(f"{text}.")
    elif "val" in found.splits:
        parts.append("Test images chose nothing." if found.tested else "")
    return " ".join(filter(None, parts))


def _equals(found: Reported) -> str:
    """Say what decided where several configurations had the highest score; else empty."""
    done = found.comparison.done
    ranked = done[[score_column(done), "val_loss"]].round(RANKED_DIGITS)
    same = ranked == ranked.iloc[0]
    highest, lowest = same.iloc[:, 0].sum(), same.all(axis=1).sum()
    if highest < 2:
        return ""
    rule = "smallest loss" if lowest == 1 else "smallest loss and number"
    return f" ({highest} had it: of these, that with the {rule})"


def _factors(found: Reported) -> str:
    comparison = found.comparison
    factors = [name for name in comparison.factors if name in comparison.done]
    if not factors:
        return ""
    listed = []
    for name in factors[:_MOST_FACTORS]:
        values = dict.fromkeys(comparison.done[name])
        shown = [in_markdown(shorten(_value(value), _LONGEST_VALUE)) for value in values]
        listed.append(f"{parameter_label(name)} ({join_some(shown, _MOST_VALUES)})")
    if len(factors) > _MOST_FACTORS:
        listed.append(f"{len(factors) - _MOST_FACTORS} other parameters")
    found_weights = weights_of_networks(comparison.records)
    with_it = f", and with it in weights ({weights_text(found_weights)})" if found_weights else ""
    return f" that differed in {join_and(listed)}{with_it}"


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def headline_intervals_sentence(found: Reported) -> str:
    """Say how the interval of the score that decides was computed; empty without one."""
    return intervals_sentence(found, headline=True)


def intervals_sentence(found: Reported, *, headline: bool = False) -> str:
    """Say how the intervals of all scores, or of the one that decides, were computed."""
    texts = []
    crossed = found.comparison.cross_validated is not None
    if crossed:
        repeats = " and repeats" * (found.record.evaluation.repeats > 1)
        texts.append(
            f"The interval (95 %) of the {found.metric} out of fold was Wilson's"
            f"{cite('wilson1927')}, for as many images as its variance over {units(found)}{repeats}"
            " amounts to."
        )
    of_table = not headline and bool(found.record.scores.get("intervals"))
    own = found.tested or (None if crossed else found.out_of_fold)
    if of_table or (own is not None and own.bounded):
        grouped = f", with groups as units{cite('kish1965')}" * (units(found) == "groups")
        subject = "Other intervals" if crossed else "Intervals"
        texts.append(f"{subject} (95 %) were {_of_images(found, of_table)}{grouped}.")
    if len(found.seeds) > 1 and found.tested is not None:
        paper = cite("nadeau2003") if found.comparison.ratio else ""
        texts.append(f"Over seeds, they have the variance of images and of seeds{paper}.")
    return " ".join(texts)


def _of_images(found: Reported, every: bool) -> str:
    scores = found.record.scores
    # Where nothing varies, the usual methods have no interval.
    whole = scores.get("roc_auc") in (0, 1)
    area = f"{_NEWCOMBE if whole else _DELONG} for the ROC area"
    wilson = f"Wilson's{cite('wilson1927')}"
    if found.exclusive:
        rest = f" for shares of images, {area}, and from draws of the confusion matrix for others"
        return f"{wilson}{rest if every else ''}"
    bootstrap = f"from the BCa bootstrap{cite('efron1987')}"
    if not every:
        return wilson if scores.get(found.record.task.headline) in (0, 1) else bootstrap
    others = "for the share with all labels right and scores at the end of their range"
    return f"{bootstrap}, {others} {wilson}, and {area}"


def tests_sentence(found: Reported) -> str:
    """Say how configurations were tested against each other; empty where they were not."""
    comparison = found.comparison
    crossed = comparison.cross_validated
    if not found.of_sweep:
        return ""
    if crossed is not None and len(crossed.models) > 1:
        return (
            "All pairs of configurations were compared in one sign-flip permutation test over "
            f"{units(found)} (maximum over the pairs), with a margin of "
            f"{100 * crossed.margin:g} percentage points."
        )
    ties = comparison.indistinguishable
    if ties is not None:
        single = ties.groups == ties.images
        tested = "test images" if single else "groups of test images"
        paper = cite("nadeau2003") if comparison.seeds > 1 and comparison.ratio else ""
        seeds = f" and in a test that allows for seeds{paper}" if comparison.seeds > 1 else ""
        return (
            "All pairs of configurations were compared in one sign-flip permutation test over "
            f"{tested} (maximum over the pairs){seeds}."
        )
    return ""


def results_sentences(found: Reported) -> list[str]:
    """Give the score of the configuration with its interval, for a section of results."""
    parts = []
    if (seen := found.out_of_fold) is not None:
        mean = " (mean over the repeats)" * (found.record.evaluation.repeats > 1)
        text = (
            f"The {found.metric} out of fold{mean} was "
            f"{_with_interval(seen, found.corrected is None)}"
        )
        if (own := found.corrected) is not None:
            text += f"; corrected for the choice it was {_with_interval(own)}"
        parts.append(f"{text}.")
    if (tested := found.tested) is not None:
        each = " per seed" * (len(found.seeds) > 1)
        parts.append(
            f"The {found.metric} on the test images was {_with_interval(tested)[:-1]}{each})."
        )
    return parts


def _with_interval(score: Measured, bounded: bool = True) -> str:
    if not (bounded and score.bounded):
        return f"{percent(score.value)} ({score.n} images)"
    low, high = percent(score.low), percent(score.high)
    return f"{percent(score.value)} (95 % interval {low} to {high}, {score.n} images)"
