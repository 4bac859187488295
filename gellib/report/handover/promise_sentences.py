"""What the predictions of a run promise, in past tense; numbers are from its record."""

from __future__ import annotations

from gellib.base.markup import in_markdown
from gellib.plots.base import percent
from gellib.report.conclusions.wording import count
from gellib.report.handover.data_sentences import class_list
from gellib.report.handover.references import cite
from gellib.report.handover.reported import Reported
from gellib.runs.record_sections import PredictionSetsRecord


def calibration_sentence(found: Reported) -> str:
    """Say whether a temperature was fitted, and to what."""
    own = found.record.calibration
    if own is None:
        return ""
    if own.temperature == 1:
        why = f": {in_markdown(own.reason)}" if own.reason else ""
        if found.crossed:
            # As records of earlier versions have it, whatever the images are.
            why = why.replace("validation images", "images")
        return f"Probabilities were left as the model gives them{why}."
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
    if own.values and len(own.not_tuned) == len(own.values):
        return (
            "Each label was given where it was more probable than not: there were too few images "
            "to choose a threshold."
        )
    of = "out of fold" if found.crossed else "on the validation images"
    text = f"Each label was given from the probability on that had the highest F1 {of}"
    if own.not_tuned:
        text += f"; {count(len(own.not_tuned), 'label')} with too few images kept 0.5"
    return f"{text}."


def promising_sets(found: Reported) -> PredictionSetsRecord | None:
    """Return the prediction sets where they promise something for some class, else None."""
    own = found.record.prediction_sets
    if own is None or own.level is None or len(own.too_few) == len(found.record.data.classes):
        return None
    return own


def sets_sentence(found: Reported) -> str:
    """Say what the prediction sets promise; empty where there are none."""
    known, own = found.record.prediction_sets, promising_sets(found)
    if known is None or known.level is None:
        return ""
    kind = "class" if found.exclusive else "label"
    if own is None:
        return f"Prediction sets promise nothing: there were too few images of each {kind}."
    of = "out-of-fold predictions" if known.source == "out-of-fold" else "validation images"
    text = (
        f"Prediction sets were fitted {kind} by {kind} to the {of} by conformal "
        f"prediction{cite('vovk2015')}, to hold each {kind} for {percent(known.level, 0)} of "
        "further images that have it"
    )
    if own.too_few:
        few = class_list(own.too_few)
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
