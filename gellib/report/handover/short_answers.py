"""Answers to the questions of reporting guidelines that only checklists give, from the records."""

from __future__ import annotations

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import join_and
from gellib.evaluation.registry import all_metrics
from gellib.plots.base import percent, three_digits
from gellib.report.conclusions.wording import count
from gellib.report.handover import data_sentences as data
from gellib.report.handover import evaluation_sentences as evaluated
from gellib.report.handover import limits
from gellib.report.handover import model_sentences as model
from gellib.report.handover.promise_sentences import promising_sets
from gellib.report.handover.reported import Reported


def images_answer(found: Reported) -> str:
    """Count the images, and those that were only trained on."""
    return " ".join(filter(None, (data.images_sentence(found), data.extra_sentence(found))))


def left_out_answer(found: Reported) -> str:
    """Say which images were left out."""
    return data.unreadable_sentence(found) or "No image was left out because it could not be read."


def readable_answer(found: Reported) -> str:
    """Say whether each image could be read."""
    if n := len(found.record.data.skipped_images):
        return f"Each image was decoded before training; {n} could not be."
    return "Each image was decoded before training, without a failure."


def fingerprint_answer(found: Reported) -> str:
    """Give the fingerprint of the images; empty without one."""
    own = found.record.data.fingerprint
    return f"The images used have the fingerprint {in_code(own)}." if own else ""


def machine_answer(found: Reported) -> str:
    """Describe the machine; empty where it is not known."""
    own = found.record.environment
    if not own.device:
        return ""
    text = f"{in_markdown(own.device)}, {count(own.threads, 'thread')}"
    where = f", {in_markdown(own.platform)}" if own.platform else ""
    return f"The machine was {text}{where}; the arithmetic {in_markdown(own.precision)}."


def times_answer(found: Reported) -> str:
    """Say how long the run and a prediction took; empty where it was not timed."""
    own = found.record.timings
    parts = []
    if own.total_s == own.total_s:
        parts.append(f"The run took {three_digits(own.total_s)} s")
    if own.inference_s_per_image == own.inference_s_per_image:
        parts.append(f"predicting an image took {three_digits(own.inference_s_per_image)} s")
    return f"{join_and(parts)[0].upper()}{join_and(parts)[1:]}." if parts else ""


def repeat_answer(found: Reported) -> str:
    """Say how the run can be repeated."""
    return (
        "All parameters are kept, and the notebook as it was run; the same parameters, seed "
        f"({found.config['seed']}), images and machine give the same predictions."
    )


def output_answer(found: Reported) -> str:
    """Say what a prediction is."""
    names = data.class_list(found.record.data.classes)
    kind = "the most probable of the classes" if found.exclusive else "any number of the labels"
    return f"For an image the model gives {kind} {names}, with a probability for each."


def tuning_answer(found: Reported) -> str:
    """Say which parameters were tuned."""
    if not found.of_sweep:
        return "All parameters are on file; this report of one run says nothing of others."
    return evaluated.choice_sentence(found) or "One configuration was trained; nothing was tuned."


def separation_answer(found: Reported) -> str:
    """Say what was fitted to which images."""
    own = found.record.calibration
    tuned = ["the temperature"] if own is not None and own.temperature != 1 else []
    cut = found.record.thresholds
    if cut is not None and len(cut.not_tuned) < len(cut.values):
        tuned.append("the thresholds of the labels")
    tuned += [] if promising_sets(found) is None else ["the prediction sets"]
    more = " and the further training images" * bool(found.record.data.extra.images)
    if not found.crossed:
        uses = join_and([*tuned, "all choices"])
        return (
            f"The model was fitted to the training images{more} alone; validation images served "
            f"for {uses}, and test images for the scores alone."
        )
    scaled = ", with the mean and deviation of their input," if _standardised(found) else ""
    text = (
        f"Classifiers{scaled} were fitted to the training images of their fold{more} alone; the "
        "network was not trained."
    )
    if tuned:
        text += (
            f" All out-of-fold predictions together set {join_and(tuned)}, so what depends on that "
            "is slightly optimistic."
        )
    return text


def _standardised(found: Reported) -> bool:
    return bool(found.config["opt_alg"] == "lbfgs")


def leaks_answer(found: Reported) -> str:
    """Say which images in training and test are alike."""
    known = limits.leak_warnings(found.comparison)
    searched = found.record.data.duplicates.get("checked")
    nothing = "No duplicate was found to lie in both training and test images."
    return " ".join(known) or (nothing if searched else "")


def shortcuts_answer(found: Reported) -> str:
    """Say what the check found; empty without a check."""
    if not limits.was_checked(found):
        return ""
    known = limits.check_sentences(found.sweep, found.comparison)
    return " ".join(known) or "The check found nothing but the subject that tells classes apart."


def metrics_answer(found: Reported) -> str:
    """Name the scores on record."""
    scores = found.record.scores
    names = [m.title for m in all_metrics(found.record.task.name) if scores.get(m.name) is not None]
    return f"On record are {join_and(names)}; models were chosen by the {found.metric}."


def scores_answer(found: Reported) -> str:
    """Give the score that decides."""
    return " ".join(evaluated.results_sentences(found))


def by_class_answer(found: Reported) -> str:
    """Give the recall of each class; empty without one."""
    own = found.record.scores.get("per_class") or {}
    shown = [
        f"{in_markdown(name)} {percent(values['recall'])}"
        for name, values in own.items()
        if values.get("recall") is not None
    ]
    if not shown or len(shown) > data.MOST_CLASSES:
        return "Precision, recall and F1 of each class are on record." if own else ""
    return f"Recall by class: {', '.join(shown)}; precision and F1 are on record."


def external_answer(found: Reported) -> str:
    """Say whether images from elsewhere were tested."""
    if folder := found.config["test_dir"]:
        return f"The test images are those of {in_code(folder)}."
    return "The records name no test on images from another source."


def limits_answer(found: Reported) -> str:
    """Say what the model must not be used for."""
    return " ".join(limits.limits(found))


def splits_file_answer(found: Reported) -> str:
    """Say that the split of each image is kept."""
    what = "fold" if found.crossed else "split"
    return f"The {what} and the prediction of each image are on file."


def ensembling_answer(found: Reported) -> str:
    """Say whether predictions are of several models."""
    text = "The model is one network with one classifier"
    if "+" in str(found.config["pretrained_model"]):
        text = "The model is one classifier on the joined features of several networks"
    if found.crossed and found.record.evaluation.repeats > 1:
        text += "; the tables have an image's mean probability out of fold over the repeats"
    return f"{text}."


def features_answer(found: Reported) -> str:
    """Count the features; empty where it is not known."""
    n = found.record.features
    return f"The network gives {n} features per image, none of them selected." if n else ""


def parameters_answer(found: Reported) -> str:
    """Count the parameters; empty where it is not known."""
    own = found.record.parameters
    if own.total is None or own.trained is None:
        return ""
    n = found.splits.get("cv" if found.crossed else "train", 0) + found.record.data.extra.images
    images = f"{n}" if found.crossed else f"{n} training"
    return f"Of {own.total:,} parameters, {own.trained:,} were trained, on {images} images."


def configuration_answer(found: Reported) -> str:
    """Say where the parameters are."""
    return f"All parameters are on file (configuration {in_code(found.record.config_hash)})."


def explanation_answer(found: Reported) -> str:
    """Say what explains the model."""
    figure = found.folder.figures / "explanations.png"
    if not figure.is_file():
        return "The model is opaque."
    return f"The model is opaque; {in_code(found.place(figure))} shows where it looked."


def model_file_answer(found: Reported) -> str:
    """Say where the model is."""
    return "The model is on file; gellib predict and gellib.load compute its predictions."


def weights_answer(found: Reported) -> str:
    """Say what the first weights are, and their licence."""
    own = found.record.weights
    licence = own.model_dump().get("license", "")
    text = f"The weights were {model.weights_words(found)}"
    text += f", from {in_markdown(own.source)}" if own.source else ""
    return f"{text}{f' (licence {in_markdown(licence)})' if licence else ''}."


def imbalance_answer(found: Reported) -> str:
    """Say how unequal the classes are, and what was done about it."""
    sizes = found.by_class.values()
    how = model.imbalance_words(found)
    return f"Classes have {min(sizes, default=0)} to {max(sizes, default=0)} images. {how}"


def mistakes_answer(found: Reported) -> str:
    """Count the wrong predictions."""
    scores = found.record.scores
    # Of the predictions on file, where the accuracy is a mean over repeats.
    if matrix := scores.get("confusion_matrix"):
        wrong = sum(map(sum, matrix)) - sum(row[i] for i, row in enumerate(matrix))
    else:
        wrong = round((1 - scores["accuracy"]) * scores["n"])
    what = "wrongly" if found.exclusive else "with a wrong or missing label"
    return f"{wrong} of {scores['n']} images were predicted {what}; the file names each."
