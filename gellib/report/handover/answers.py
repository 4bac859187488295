"""What the records of a run answer to the questions of reporting guidelines, by topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import join_and
from gellib.evaluation.registry import all_metrics
from gellib.plots.base import percent, three_digits
from gellib.report.conclusions.wording import count
from gellib.report.handover import data_sentences as data
from gellib.report.handover import evaluation_sentences as judged
from gellib.report.handover import limits
from gellib.report.handover import model_sentences as model
from gellib.report.handover.references import uncited
from gellib.report.handover.reported import Reported


class Answer(NamedTuple):
    """A sentence from the records, and the file that it is from."""

    text: str
    file: str


def answer(found: Reported, topic: str) -> Answer | None:
    """Return what the records say about a topic; None where they say nothing.

    Raises
    ------
    KeyError
        For an unknown topic.
    """
    write, file = TOPICS[topic]
    text = uncited(write(found))
    return Answer(text, file(found)) if text else None


def _record(found: Reported) -> str:
    return found.place(found.folder.record)


def _config(found: Reported) -> str:
    return found.place(found.folder.config)


def _check(found: Reported) -> str:
    return _existing(found, found.sweep.check)


def _tables(found: Reported) -> str:
    return found.place(found.sweep.results if found.of_sweep else found.folder.result)


def _scores_file(found: Reported) -> str:
    # The summary alone has the score that is corrected for the choice.
    return _tables(found) if found.corrected is None else _summary(found)


def _splits(found: Reported) -> str:
    run = found.folder
    return found.place(run.out_of_fold if found.crossed else run.predictions)


def _predictions(found: Reported) -> str:
    return found.place(found.folder.predictions)


def _summary(found: Reported) -> str:
    own = found.summary
    return found.place(own) if own is not None else _record(found)


def _existing(found: Reported, path: Path) -> str:
    return found.place(path) if path.is_file() else _record(found)


def _left_out(found: Reported) -> str:
    return data.left_out_sentence(found) or "No image was left out because it could not be read."


def _readable(found: Reported) -> str:
    if n := len(found.record.data.skipped_images):
        return f"Each image was decoded before training; {n} could not be."
    return "Each image was decoded before training, without a failure."


def _fingerprint(found: Reported) -> str:
    own = found.record.data.fingerprint
    return f"The images used have the fingerprint {in_code(own)}." if own else ""


def _machine(found: Reported) -> str:
    own = found.record.environment
    if not own.device:
        return ""
    text = f"{in_markdown(own.device)}, {count(own.threads, 'thread')}"
    where = f", {in_markdown(own.platform)}" if own.platform else ""
    return f"The machine was {text}{where}; the arithmetic {in_markdown(own.precision)}."


def _times(found: Reported) -> str:
    own = found.record.timings
    parts = []
    if own.total_s == own.total_s:
        parts.append(f"The run took {three_digits(own.total_s)} s")
    if own.inference_s_per_image == own.inference_s_per_image:
        parts.append(f"predicting an image took {three_digits(own.inference_s_per_image)} s")
    return f"{join_and(parts)[0].upper()}{join_and(parts)[1:]}." if parts else ""


def _repeat(found: Reported) -> str:
    return (
        "All parameters are kept, and the notebook as it was run; the same parameters, seed "
        f"({found.config['seed']}), images and machine give the same predictions."
    )


def _output(found: Reported) -> str:
    names = data.name_classes(found.record.data.classes)
    kind = "the most probable of the classes" if found.exclusive else "any number of the labels"
    return f"For an image the model gives {kind} {names}, with a probability for each."


def _tuning(found: Reported) -> str:
    if not found.of_sweep:
        return "All parameters are on file; this report of one run says nothing of others."
    return judged.choice_sentence(found) or "One configuration was trained; nothing was tuned."


def _separation(found: Reported) -> str:
    own = found.record.calibration
    tuned = ["the temperature"] if own is not None and own.temperature != 1 else []
    tuned += [] if found.record.thresholds is None else ["the thresholds of the labels"]
    if not found.crossed:
        uses = join_and([*tuned, "all choices"])
        return (
            "The model was fitted to the training images alone; validation images served for "
            f"{uses}, and test images for the scores alone."
        )
    scaled = ", with the mean and deviation of their input," if _standardised(found) else ""
    text = (
        f"Classifiers{scaled} were fitted to the training images of their fold alone; the network "
        "was not trained."
    )
    if tuned:
        text += (
            f" All out-of-fold predictions together set {join_and(tuned)}, so what depends on that "
            "is slightly optimistic."
        )
    return text


def _standardised(found: Reported) -> bool:
    return bool(found.config["opt_alg"] == "lbfgs")


def _leaks(found: Reported) -> str:
    known = limits.leak_warnings(found.comparison)
    searched = found.record.data.duplicates.get("checked")
    nothing = "No duplicate was found to lie in both training and test images."
    return " ".join(known) or (nothing if searched else "")


def _shortcuts(found: Reported) -> str:
    if not limits.was_checked(found):
        return ""
    known = limits.check_sentences(found.sweep, found.comparison)
    return " ".join(known) or "The check found nothing but the subject that tells classes apart."


def _metrics(found: Reported) -> str:
    scores = found.record.scores
    names = [m.title for m in all_metrics(found.record.task.name) if scores.get(m.name) is not None]
    return f"On record are {join_and(names)}; models were chosen by the {found.metric}."


def _scores(found: Reported) -> str:
    return " ".join(judged.results_sentences(found))


def _by_class(found: Reported) -> str:
    own = found.record.scores.get("per_class") or {}
    shown = [
        f"{in_markdown(name)} {percent(values['recall'])}"
        for name, values in own.items()
        if values.get("recall") is not None
    ]
    if not shown or len(shown) > data.MOST_CLASSES:
        return "Precision, recall and F1 of each class are on record." if own else ""
    return f"Recall by class: {', '.join(shown)}; precision and F1 are on record."


def _external(found: Reported) -> str:
    if folder := found.config["test_dir"]:
        return f"The test images are those of {in_code(folder)}."
    return "The records name no test on images from another source."


def _limits(found: Reported) -> str:
    return " ".join(limits.limits(found))


def _splits_file(found: Reported) -> str:
    what = "fold" if found.crossed else "split"
    return f"The {what} and the prediction of each image are on file."


def _ensembling(found: Reported) -> str:
    text = "The model is one network with one classifier"
    if "+" in str(found.config["pretrained_model"]):
        text = "The model is one classifier on the joined features of several networks"
    if found.crossed and found.record.evaluation.repeats > 1:
        text += "; the tables have an image's mean probability out of fold over the repeats"
    return f"{text}."


def _features(found: Reported) -> str:
    n = found.record.features
    return f"The network gives {n} features per image, none of them selected." if n else ""


def _parameters(found: Reported) -> str:
    own = found.record.parameters
    if own.total is None or own.trained is None:
        return ""
    return (
        f"Of {own.total:,} parameters, {own.trained:,} were trained, on {found.images} images in "
        "all."
    )


def _configuration(found: Reported) -> str:
    return f"All parameters are on file (configuration {in_code(found.record.config_hash)})."


def _explanation(found: Reported) -> str:
    figure = found.folder.figures / "explanations.png"
    if not figure.is_file():
        return "The model is opaque."
    return f"The model is opaque; {in_code(found.place(figure))} shows where it looked."


def _model_file(found: Reported) -> str:
    return "The model is on file; gellib predict and gellib.load compute its predictions."


def _weights(found: Reported) -> str:
    own = found.record.weights
    licence = own.model_dump().get("license", "")
    text = f"The weights were {model.weights_words(found)}"
    text += f", from {in_markdown(own.source)}" if own.source else ""
    return f"{text}{f' (licence {in_markdown(licence)})' if licence else ''}."


def _imbalance(found: Reported) -> str:
    sizes = found.by_class.values()
    how = model.imbalance_words(found)
    return f"Classes have {min(sizes, default=0)} to {max(sizes, default=0)} images. {how}"


def _mistakes(found: Reported) -> str:
    scores = found.record.scores
    wrong = round((1 - scores["accuracy"]) * scores["n"])
    what = "wrongly" if found.exclusive else "with a wrong or missing label"
    return f"{wrong} of {scores['n']} images were predicted {what}; the file names each."


_Write = Callable[[Reported], str]
TOPICS: dict[str, tuple[_Write, Callable[[Reported], str]]] = {
    "images": (data.images_sentence, _record),
    "fingerprint": (_fingerprint, _record),
    "left_out": (_left_out, _record),
    "readable": (_readable, _record),
    "duplicates": (data.duplicates_sentence, _record),
    "groups": (data.groups_sentence, _splits),
    "leaks": (_leaks, _record),
    "shortcuts": (_shortcuts, _check),
    "preprocessing": (data.preprocessing_sentence, _config),
    "augmentation": (model.augmentation_sentence, _config),
    "network": (model.network_sentence, _record),
    "features": (_features, _record),
    "parameters": (_parameters, _record),
    "training": (model.training_sentence, _config),
    "imbalance": (_imbalance, _config),
    "weights": (_weights, _record),
    "evaluation": (judged.evaluation_sentence, _splits),
    "splits_file": (_splits_file, _splits),
    "separation": (_separation, _record),
    "choice": (judged.choice_sentence, _tables),
    "tuning": (_tuning, _config),
    "tests": (judged.tests_sentence, _summary),
    "baselines": (judged.baselines_sentence, _summary),
    "metrics": (_metrics, _record),
    "scores": (_scores, _scores_file),
    "by_class": (_by_class, _record),
    "intervals": (judged.intervals_sentence, _record),
    "mistakes": (_mistakes, _predictions),
    "calibration": (judged.calibration_sentence, _record),
    "thresholds": (judged.thresholds_sentence, _record),
    "sets": (judged.sets_sentence, _record),
    "unlike": (judged.unlike_sentence, _record),
    "output": (_output, _record),
    "explanation": (_explanation, _record),
    "ensembling": (_ensembling, _record),
    "limits": (_limits, _record),
    "external": (_external, _config),
    "software": (model.software_sentence, _record),
    "machine": (_machine, _record),
    "times": (_times, _record),
    "repeat": (_repeat, lambda found: found.place(found.folder.notebook)),
    "configuration": (_configuration, _config),
    "model_file": (_model_file, lambda found: found.place(found.folder.model)),
}
