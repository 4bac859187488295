"""How a run was judged and chosen, in past tense; numbers are from its record and its sweep."""

from __future__ import annotations

from gellib.base.markup import in_markdown
from gellib.base.text import join_and, join_some, shorten
from gellib.plots.base import percent
from gellib.report.baselines import MAJORITY, STATISTICS
from gellib.report.comparison import words
from gellib.report.comparison.reference import majority_of
from gellib.report.conclusions.wording import count
from gellib.report.handover.references import cite
from gellib.report.handover.reported import Measured, Reported

_MOST_VALUES = 4
_MOST_FACTORS = 4
_LONGEST_VALUE = 30


def evaluation_sentence(found: Reported) -> str:
    """Say how the images were divided for training and judging."""
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
    text += ". The final model was trained on all of them."
    if test := splits.get("test"):
        text += (
            f" The test part that the data set gives ({count(test, 'image')}) took no part in this "
            "and was predicted by the final model."
        )
    return text


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
            f"{found.metric} {by} was chosen"
        )
        if found.corrected is not None:
            text += (
                ", and its score was corrected for the choice by bootstrap over "
                f"{_units(found)}{cite('tsamardinos2018')}"
            )
        elif found.tested is not None:
            text += "; test images chose nothing"
        parts.append(f"{text}.")
    elif "val" in found.splits:
        parts.append("Test images chose nothing." if found.tested else "")
    return " ".join(filter(None, parts))


def _factors(found: Reported) -> str:
    comparison = found.comparison
    factors = [name for name in comparison.factors if name in comparison.done]
    if not factors:
        return ""
    listed = []
    for name in factors[:_MOST_FACTORS]:
        values = dict.fromkeys(comparison.done[name])
        shown = [in_markdown(shorten(_value(value), _LONGEST_VALUE)) for value in values]
        listed.append(f"{words(name)} ({join_some(shown, _MOST_VALUES)})")
    if len(factors) > _MOST_FACTORS:
        listed.append(f"{len(factors) - _MOST_FACTORS} other parameters")
    return f" that differed in {join_and(listed)}"


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _units(found: Reported) -> str:
    groups = found.groups
    return "groups" if groups is not None and groups < found.grouped_images else "images"


def calibration_sentence(found: Reported) -> str:
    """Say whether a temperature was fitted, and to what."""
    own = found.record.calibration
    if own is None:
        return ""
    if own.temperature == 1:
        why = f": {in_markdown(own.reason)}" if own.reason else ""
        return f"Probabilities were left uncalibrated{why}."
    of = "out-of-fold predictions" if found.crossed else "predictions"
    return (
        f"Probabilities were calibrated by one temperature, {own.temperature:.2f}"
        f"{cite('guo2017')}, fitted to the {of} of {own.n_val} images."
    )


def thresholds_sentence(found: Reported) -> str:
    """Say from which probability on a label was given; empty for one label per image."""
    own = found.record.thresholds
    if own is None:
        return ""
    of = "out of fold" if found.crossed else "on the validation images"
    text = f"Each label was given from the probability on that had the highest F1 {of}"
    if own.not_tuned:
        text += f"; {count(len(own.not_tuned), 'label')} with too few images kept 0.5"
    return f"{text}."


def headline_intervals_sentence(found: Reported) -> str:
    """Say how the interval of the score that decides was computed; empty without one."""
    known = [score for score in (found.tested, found.out_of_fold) if score and score.bounded]
    return intervals_sentence(found, headline=True) if known else ""


def intervals_sentence(found: Reported, *, headline: bool = False) -> str:
    """Say how the intervals of all scores, or of the one that decides, were computed."""
    if not (found.record.scores.get("intervals") or found.tested or found.out_of_fold):
        return ""
    grouped = f", with groups as units{cite('kish1965')}" * (_units(found) == "groups")
    area = f"DeLong's{cite('delong1988')} for the ROC area"
    if found.exclusive:
        how = f"Wilson's{cite('wilson1927')}"
        if not headline:
            how += (
                f" for shares of images, {area}, and from draws of the confusion matrix for others"
            )
    else:
        how = f"from the BCa bootstrap{cite('efron1987')}"
        how += "" if headline else f", and {area}"
    text = f"Intervals (95 %) were {how}{grouped}."
    if len(found.seeds) > 1 and not found.crossed:
        paper = cite("nadeau2003") if found.comparison.ratio else ""
        text += f" Over seeds, they have the variance of images and of seeds{paper}."
    return text


def tests_sentence(found: Reported) -> str:
    """Say how configurations were tested against each other; empty where they were not."""
    comparison = found.comparison
    crossed = comparison.cross_validated
    if not found.of_sweep:
        return ""
    if crossed is not None and len(crossed.models) > 1:
        return (
            "All pairs of configurations were compared by one permutation test (signs of "
            f"{_units(found)}, largest difference) with a margin of {100 * crossed.margin:g} "
            "percentage points."
        )
    if comparison.indistinguishable is not None:
        paper = cite("nadeau2003") if comparison.seeds > 1 and comparison.ratio else ""
        seeds = f" and by one that allows for seeds{paper}" if comparison.seeds > 1 else ""
        return (
            "All pairs of configurations were compared by one permutation test (signs of test "
            f"images, largest difference){seeds}."
        )
    return ""


def sets_sentence(found: Reported) -> str:
    """Say what the prediction sets promise; empty where there are none."""
    own = found.record.prediction_sets
    if own is None or own.level is None:
        return ""
    of = "out-of-fold predictions" if own.source == "out-of-fold" else "validation images"
    text = (
        f"Prediction sets were fitted class by class to the {of} by conformal "
        f"prediction{cite('vovk2015')}, to hold the true class of {percent(own.level, 0)} of "
        "further images"
    )
    if own.too_few:
        few = join_some([in_markdown(shorten(n, _LONGEST_VALUE)) for n in own.too_few], 3)
        text += f" (without a promise for {few}, of which there were too few)"
    return f"{text}."


def unlike_sentence(found: Reported) -> str:
    """Say how images unlike the training images were found; empty where that was not asked."""
    own = found.record.out_of_distribution
    if own is None:
        return ""
    if own.rate is None:
        return f"Images unlike the training images are not flagged: {in_markdown(own.reason)}."
    text = (
        "Images were flagged as unlike the training images by their distance in features and in "
        f"image statistics{cite('ledoit2004')}, at a limit that {percent(own.rate, 0)} of images "
        "like them exceed"
    )
    if own.test_flagged is not None and own.n_test:
        text += f"; {own.test_flagged} of {own.n_test} test images were flagged"
    return f"{text}."


def baselines(found: Reported) -> dict[str, float]:
    """Return the scores that need no network, by name, on the same images, as far as known."""
    comparison, known = found.comparison, {}
    if found.of_sweep and (found.sweep.path / "baselines.json").is_file():
        known = dict(comparison.baselines.means)
    if MAJORITY not in known and found.exclusive:
        share = majority_of(comparison.done.head(1))
        known |= {} if share is None else {MAJORITY: share}
    return known


def baselines_sentence(found: Reported) -> str:
    """Give the scores that need no network; empty where none is known."""
    known = baselines(found)
    what = {
        MAJORITY: "always predicting the commonest class",
        STATISTICS: "a logistic regression on image statistics, without a network,",
    }
    parts = [f"{what[name]} reached {percent(known[name])}" for name in what if name in known]
    return f"For comparison, {join_and(parts)}." if parts else ""


def results_sentences(found: Reported) -> list[str]:
    """Give the score of the configuration with its interval, for a section of results."""
    parts = []
    if (seen := found.out_of_fold) is not None:
        text = f"The {found.metric} out of fold was {_with_interval(seen, found.corrected is None)}"
        if (own := found.corrected) is not None:
            text += f"; corrected for the choice it was {_with_interval(own)}"
        parts.append(f"{text}.")
    if (tested := found.tested) is not None:
        parts.append(f"The {found.metric} on the test images was {_with_interval(tested)}.")
    return parts


def _with_interval(score: Measured, bounded: bool = True) -> str:
    if not (bounded and score.bounded):
        return f"{percent(score.value)} ({score.n} images)"
    low, high = percent(score.low), percent(score.high)
    return f"{percent(score.value)} (95 % interval {low} to {high}, {score.n} images)"
