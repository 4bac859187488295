"""The model card of a run: what it is, what it was evaluated on, what it must not be used for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from gellib.base.markup import in_code, in_markdown
from gellib.base.text import join_and
from gellib.report.conclusions.wording import count
from gellib.report.handover import data_sentences as data
from gellib.report.handover import evaluation_sentences as evaluated
from gellib.report.handover import limits
from gellib.report.handover import model_sentences as model
from gellib.report.handover import promise_sentences as promised
from gellib.report.handover.baseline_sentences import baselines_sentence
from gellib.report.handover.card_tables import class_tables, counts_table, scores_tables
from gellib.report.handover.document import (
    Block,
    Bullets,
    Heading,
    Paragraph,
    to_markdown,
)
from gellib.report.handover.references import uncited
from gellib.report.handover.reported import Reported


def model_card(path: str | Path) -> list[Block]:
    """Make the card of a run, or of the best run of a sweep.

    Parameters
    ----------
    path
        Folder of the run or of the sweep.

    Raises
    ------
    ReportedError
        When no run has finished there.
    """
    return card_of(Reported.find(path))


def card_of(found: Reported) -> list[Block]:
    """Make the card of a run that was found."""
    name = in_markdown(found.record.name)
    title = f"Model card: {name}"
    checked = limits.check_findings(found)
    if not checked and limits.was_checked(found):
        checked = ["The check found no shortcut and no leak in these images."]
    return [
        Heading(title, 1),
        _bullets(_facts(found)),
        Heading("What it must not be used for"),
        _bullets(limits.limits(found)),
        Heading("Data"),
        *_text(found, data.images_sentence, data.unreadable_sentence),
        counts_table(found),
        *_text(found, data.extra_sentence),
        *_text(found, data.duplicates_sentence, data.groups_sentence, data.preprocessing_sentence),
        Heading("How it was trained"),
        *_text(found, model.network_sentence, model.training_sentence, model.augmentation_sentence),
        Heading("How it was evaluated"),
        *_text(
            found,
            evaluated.evaluation_sentence,
            evaluated.choice_sentence,
            evaluated.tests_sentence,
            evaluated.intervals_sentence,
        ),
        Heading("Scores"),
        Paragraph(" ".join(evaluated.results_sentences(found))),
        *_text(found, baselines_sentence),
        *scores_tables(found),
        *class_tables(found),
        Heading("What its predictions say"),
        *_text(
            found,
            promised.calibration_sentence,
            promised.thresholds_sentence,
            promised.sets_sentence,
            promised.unlike_sentence,
        ),
        _bullets(_trust(found)),
        Heading("What the check found in the images"),
        _bullets(checked or ["No check of these images is kept beside the run."]),
        Heading("Weights and licences"),
        _bullets(_weights(found)),
        Heading("Software and how to repeat it"),
        *_text(found, model.software_sentence),
        _bullets(_repeat(found)),
    ]


def card_section(found: Reported) -> str:
    """Write the card as Markdown below a heading of its own, as in the summary of a sweep."""
    blocks = card_of(found)[1:]
    lower = (Heading(b.text, b.level + 1) if isinstance(b, Heading) else b for b in blocks)
    return to_markdown(list(lower))


def _text(found: Reported, *write: Callable[[Reported], str]) -> list[Block]:
    text = " ".join(uncited(one) for own in write if (one := own(found)))
    return [Paragraph(text)] if text else []


def _bullets(items: Iterable[str]) -> Bullets:
    return Bullets(tuple(filter(None, items)))


def _facts(found: Reported) -> list[str]:
    record = found.record
    classes = data.class_list(record.data.classes)
    kind = "one of the classes" if found.exclusive else "any number of the labels"
    info = found.sweep.read_sweep() if found.of_sweep else {}
    purpose = info.get("purpose")
    return [
        f"**Predicts:** for an image, {kind} {classes}, with a probability for each",
        f"**Made for:** {in_markdown(purpose)}" if isinstance(purpose, str) and purpose else "",
        f"**Network:** {model.network_name(found)}, input {found.config['image_size']} pixels, "
        f"{'colour' if found.config['color'] == 'rgb' else 'grey'}",
        f"**Model:** {in_code(found.place(found.folder.model))}",
        f"**Configuration:** {in_code(record.config_hash)}; all parameters are in "
        f"{in_code(found.place(found.folder.config))}",
    ]


def _trust(found: Reported) -> list[str]:
    own, sets = found.record.calibration, found.record.prediction_sets
    texts = []
    if own is not None and (error := own.to_dict().get("ece_calibrated")) is not None:
        texts.append(
            f"**Calibration:** confidence and share of right predictions differed by "
            f"{100 * error:.1f} percentage points on average (expected calibration error, "
            f"{count(own.n, 'image')})"
        )
    if sets is not None and sets.n and sets.single is not None:
        texts.append(
            f"**Prediction sets:** of {sets.n} images, {sets.single} had a set of one class and "
            f"{sets.empty or 0} an empty one"
        )
    return texts


def _weights(found: Reported) -> list[str]:
    weights = found.record.weights
    licence = in_markdown(weights.to_dict().get("license", ""))
    if weights.name == "labsim":
        licence = "that of gellib, which includes them"
    return [
        f"**Weights:** {uncited(model.weights_words(found))}",
        f"**From:** {in_markdown(weights.source)}" if weights.source else "",
        f"**Licence of the weights:** {licence or 'not on record; their authors have to be asked'}"
        if weights.name != "none"
        else "",
        f"**sha256:** {in_code(weights.sha256)}" if weights.sha256 else "",
        in_markdown(weights.warning),
        "**Licence of the images and of this model:** not on record; the author has to name them",
    ]


def _repeat(found: Reported) -> list[str]:
    record, machine = found.record, found.record.environment.model_dump()
    versions = [
        f"{name} {in_markdown(machine[name])}"
        for name in ("torchvision", "timm", "numpy", "scipy", "pillow")
        if machine.get(name)
    ]
    place = found.place
    own = record.environment
    where = f"{in_markdown(own.platform)}, {count(own.threads, 'thread')}"
    return [
        f"**Also:** {join_and(versions)}; {where}, {in_markdown(own.precision)}"
        if versions
        else "",
        f"**Images:** {in_code(record.data.root)}, fingerprint {in_code(record.data.fingerprint)}",
        f"**Random seed:** {found.config['seed']}",
        f"**Notebook that was run:** {in_code(place(found.folder.notebook))}",
        f"**All of the above:** {in_code(place(found.folder.record))}",
        f"**Predictions of single images:** {in_code(place(found.folder.predictions))}",
    ]
