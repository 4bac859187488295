"""What the records of a run answer to the questions of reporting guidelines, by topic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gellib.report.handover import data_sentences as data
from gellib.report.handover import evaluation_sentences as evaluated
from gellib.report.handover import model_sentences as model
from gellib.report.handover import promise_sentences as promised
from gellib.report.handover import short_answers as short
from gellib.report.handover.baseline_sentences import baselines_sentence
from gellib.report.handover.references import uncited
from gellib.report.handover.reported import Reported


class ChecklistAnswer(NamedTuple):
    """A sentence from the records, and the file that it is from."""

    text: str
    file: str


def answer(found: Reported, topic: str) -> ChecklistAnswer | None:
    """Return what the records say about a topic; None where they say nothing.

    Raises
    ------
    KeyError
        For an unknown topic.
    """
    write, file = TOPICS[topic]
    text = uncited(write(found))
    return ChecklistAnswer(text, file(found)) if text else None


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
    # Without one, from what it would be computed.
    return found.place(own) if own is not None else _splits(found)


def _baselines(found: Reported) -> str:
    known = found.sweep.path / "baselines.json"
    return found.place(known) if found.of_sweep and known.is_file() else _splits(found)


def _existing(found: Reported, path: Path) -> str:
    return found.place(path) if path.is_file() else _record(found)


_Write = Callable[[Reported], str]
TOPICS: dict[str, tuple[_Write, Callable[[Reported], str]]] = {
    "images": (short.images_answer, _record),
    "fingerprint": (short.fingerprint_answer, _record),
    "left_out": (short.left_out_answer, _record),
    "readable": (short.readable_answer, _record),
    "duplicates": (data.duplicates_sentence, _record),
    "groups": (data.groups_sentence, _splits),
    "leaks": (short.leaks_answer, _record),
    "shortcuts": (short.shortcuts_answer, _check),
    "preprocessing": (data.preprocessing_sentence, _config),
    "augmentation": (model.augmentation_sentence, _config),
    "network": (model.network_sentence, _record),
    "features": (short.features_answer, _record),
    "parameters": (short.parameters_answer, _record),
    "training": (model.training_sentence, _config),
    "imbalance": (short.imbalance_answer, _config),
    "weights": (short.weights_answer, _record),
    "evaluation": (evaluated.evaluation_sentence, _splits),
    "splits_file": (short.splits_file_answer, _splits),
    "separation": (short.separation_answer, _record),
    "choice": (evaluated.choice_sentence, _tables),
    "tuning": (short.tuning_answer, _config),
    "tests": (evaluated.tests_sentence, _summary),
    "baselines": (baselines_sentence, _baselines),
    "metrics": (short.metrics_answer, _record),
    "scores": (short.scores_answer, _scores_file),
    "by_class": (short.by_class_answer, _record),
    "intervals": (evaluated.intervals_sentence, _record),
    "mistakes": (short.mistakes_answer, _predictions),
    "calibration": (promised.calibration_sentence, _record),
    "thresholds": (promised.thresholds_sentence, _record),
    "sets": (promised.sets_sentence, _record),
    "unlike": (promised.unlike_sentence, _record),
    "output": (short.output_answer, _record),
    "explanation": (short.explanation_answer, _record),
    "ensembling": (short.ensembling_answer, _record),
    "limits": (short.limits_answer, _record),
    "external": (short.external_answer, _config),
    "software": (model.software_sentence, _record),
    "machine": (short.machine_answer, _record),
    "times": (short.times_answer, _record),
    "repeat": (short.repeat_answer, lambda found: found.place(found.folder.notebook)),
    "configuration": (short.configuration_answer, _config),
    "model_file": (short.model_file_answer, lambda found: found.place(found.folder.model)),
}
