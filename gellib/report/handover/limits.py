"""What a model must not be used for, as far as its record shows."""

from __future__ import annotations

from typing import Any

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import shorten
from gellib.evaluation import ENOUGH_IMAGES
from gellib.plots.base import percent
from gellib.report.baselines import MAJORITY
from gellib.report.conclusions.wording import count
from gellib.report.handover.baseline_sentences import baselines
from gellib.report.handover.data_sentences import class_list, duplicates_searched
from gellib.report.handover.reported import Reported
from gellib.report.summary.answer import leak_warnings
from gellib.report.summary.check_findings import check_sentences

# Of fewer scored images of a class, its recall may be anything.
_FEW = 20
_LONGEST = 60


def limits(found: Reported) -> list[str]:
    """Say what the model must not be used for, the gravest first, in sentences (Markdown)."""
    return [text for write in _LIMITS for text in write(found)]


def check_findings(found: Reported) -> list[str]:
    """Return what the check found in the images: shortcuts, leaks; empty where nothing was."""
    return [*check_sentences(found.sweep, found.comparison), *leak_warnings(found.comparison)]


def was_checked(found: Reported) -> bool:
    """Whether there is a check of these very images beside the run."""
    return bool(_checks(found))


def _checks(found: Reported) -> list[dict[str, Any]]:
    own = found.config["dataset_dir"], found.record.data.fingerprint
    entries = found.sweep.read_check()
    return [e for e in entries if (e.get("dataset_dir"), e.get("fingerprint")) == own]


def _weights(found: Reported) -> list[str]:
    weights = found.record.weights
    texts = [f"**Not as evidence about transfer learning:** {in_markdown(weights.warning)}"]
    return texts if weights.warning else []


def _no_better_than_chance(found: Reported) -> list[str]:
    known, score, images = baselines(found)
    chance = known.get(MAJORITY)
    if chance is None or score is None or (score.low if score.bounded else score.value) > chance:
        return []
    return [
        "**Not at all before more images say otherwise:** it is not shown to be better than always "
        f"predicting the commonest class, which reaches {percent(chance)} on the {images}."
    ]


def _memory(found: Reported) -> list[str]:
    data = found.record.data
    mixed = data.duplicates.get("cross_split_pairs") or data.duplicates.get("problem")
    if not (mixed or data.families.get("warning")):
        return _not_kept_together(found)
    return [
        "**Not with these scores for new subjects or samples:** training and test images share "
        "duplicates or near-duplicates, so the scores are in part of memory."
    ]


def _not_kept_together(found: Reported) -> list[str]:
    known = found.record.data.duplicates
    if known.get("checked", True):
        return []
    searched = duplicates_searched(found)
    if searched and not (known.get("exact") or known.get("near")):
        return []
    why = "were not kept together as such" if searched else "were not searched for"
    return [
        "**Not with these scores for new subjects or samples without a look at them:** duplicates "
        f"of images {why}, so the scores may be of memory."
    ]


def _shortcuts(found: Reported) -> list[str]:
    grey = found.config["color"] == "grey"
    known = [one for entry in _checks(found) for one in entry.get("shortcuts", [])]
    if all(grey and one.get("removed_by_grey") for one in known):
        return []
    return [
        "**Not before its shortcuts were looked at:** something that need not be the subject tells "
        "the classes apart, as the check found; images without it may be predicted wrongly."
    ]


def _other_images(found: Reported) -> list[str]:
    own, folder = found.record.out_of_distribution, found.config["test_dir"]
    known = "nothing on record is about them"
    if folder:
        known = f"beyond its data set, only the test images of {in_code(folder)} are on record"
    text = (
        "**Not for images from another source**, such as another instrument, laboratory, "
        f"protocol or population, before it was tested there: {known}."
    )
    if own is not None and own.rate is not None:
        text += " Predictions mark images that are unlike the training images."
    else:
        text += " Predictions do not mark images that are unlike the training images."
    return [text]


def _other_classes(found: Reported) -> list[str]:
    names = class_list(found.record.data.classes)
    if not found.exclusive:
        return [f"**Not for labels other than** {names}: it knows no others."]
    return [
        f"**Not for images that are none of** {names}: each image is given one of these, at best "
        "with a mark."
    ]


def _few_images(found: Reported) -> list[str]:
    per_class = found.record.scores.get("per_class", {})
    few = {n: int(v["support"]) for n, v in per_class.items() if v.get("support", _FEW) < _FEW}
    if not few:
        return []
    fewest, most = min(few.values()), max(few.values())
    least = f"{fewest} to {most}" if fewest < most else str(fewest)
    where = "test images" if found.record.scored_on == "test" else "images"
    return [
        f"**Not where a mistake on {class_list(list(few))} costs much:** {least} {where} "
        f"of {'a' if len(few) > 1 else 'this'} class say little about how often it is found."
    ]


def _probabilities(found: Reported) -> list[str]:
    own = found.record.calibration
    if own is None:
        return ["**Not with probabilities taken at their word:** no calibration is on record."]
    if own.n_val >= ENOUGH_IMAGES:
        return []
    return [
        f"**Not with probabilities taken at their word:** {count(own.n_val, 'image')} "
        f"(fewer than {ENOUGH_IMAGES}) are too few to calibrate them reliably."
    ]


def _promises(found: Reported) -> list[str]:
    own = found.record.prediction_sets
    if own is None or not own.too_few:
        return []
    return [
        f"**Not with a promise for {class_list(list(own.too_few))}:** there were too few images "
        "for prediction sets that hold the true class as often as they say."
    ]


def _licences(found: Reported) -> list[str]:
    licence = str(found.record.weights.to_dict().get("license", ""))
    if "nc" not in licence.lower().replace("_", "-").split("-"):
        return []
    text = in_markdown(shorten(licence, _LONGEST))
    return [f"**Not for commercial use:** the licence of the weights is {text}."]


def _people(found: Reported) -> list[str]:
    return [
        "**Not for a diagnosis or another decision about people**, nor for one that nobody "
        "checks: it was not validated for that."
    ]


_LIMITS = (
    _weights,
    _no_better_than_chance,
    _memory,
    _shortcuts,
    _other_images,
    _other_classes,
    _few_images,
    _probabilities,
    _promises,
    _licences,
    _people,
)
