"""Predict new images with a finished run: `Predictor`, and which run is the best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gellib.base.paths import find_path, shown_path
from gellib.data.image_files import BadImageError, ImageLimits
from gellib.data.images import read_image
from gellib.data.imageset import name_labels
from gellib.data.layouts.folders import find_images
from gellib.evaluation import PredictionSetRule
from gellib.runs import Record, RecordError, RunFolder
from gellib.training_run.find_runs import PredictorError, model_file
from gellib.training_run.prediction import Prediction

# An image to be read: a file, its bytes, or its name and bytes.
Source = str | Path | bytes | tuple[str, bytes]

_AT_ONCE = 64


class Predictor:
    """The trained model of one finished run, with the preparation of images that it was trained on.

    Raises
    ------
    PredictorError
        When the run has not finished or its model is gone.
    """

    def __init__(self, run: RunFolder | str | Path) -> None:
        # Only here: torch takes seconds to import, and listing runs does not need it.
        from gellib.models.backbones import choose_device, device_missing
        from gellib.models.compute import Compute
        from gellib.models.explain import load_detector
        from gellib.models.training import load_model, load_tensors

        self.run = run if isinstance(run, RunFolder) else RunFolder(find_path(run))
        try:
            record = Record.read(self.run.record)
            state = "" if record.done else f"it has {record.status}"
        except RecordError as err:
            record = None
            state = str(err) if self.run.record.exists() else "there is no record of it"
        if record is None or state:
            raise PredictorError(
                f"{self.run.path} is not a finished run: {state}. Expected the folder of a run "
                "with a record, as runs/<sweep>/<run>; finish it with gellib sweep."
            )
        path = model_file(self.run, record)
        if not path.is_file():
            raise PredictorError(
                f"the model of {self.run.path} is gone: there is no {path}. "
                "Run it again, or choose another run."
            )
        self.record = record
        self.name = Path(shown_path(self.run.path)).as_posix()
        self.classes = tuple(record.data.classes)
        config = record.config
        self.limits = ImageLimits(
            max_bytes=int(config["max_image_mb"] * 1e6),
            max_pixels=int(config["max_image_mpx"] * 1e6),
        )
        self.backbone, self.head, self.metadata = load_model(path)
        self.task = self.head.task
        self.temperature = self.metadata.get("temperature", 1.0)
        known = self.metadata.get("out_of_distribution")
        self.detector = load_detector(load_tensors(path), known) if known else None
        cuts = self.metadata.get("thresholds", ())
        self.thresholds = dict(zip(self.classes, cuts, strict=True)) if cuts else {}
        rule = self.metadata.get("prediction_sets")
        self.rule = PredictionSetRule.load(rule) if rule else None
        # The arithmetic of the run, so that predictions are equal to its own; a run of a GPU that
        # is not here predicts on the CPU, and agrees to rounding.
        here = not device_missing(config["hardware_type"])
        self.compute = Compute(
            choose_device(config["hardware_type"] if here else "cpu"),
            record.environment.precision if here else "auto",
        )
        self.head.to(self.compute.device)

    def predict(self, sources: Sequence[Source]) -> list[Prediction]:
        """Predict each source; one that cannot be read gets its error, the others go on."""
        named = [named_source(source, number) for number, source in enumerate(sources, start=1)]
        results: list[Prediction] = []
        # Some at a time: a folder may hold any number.
        for start in range(0, len(named), _AT_ONCE):
            results += self._predict_batch(named[start : start + _AT_ONCE])
        return results

    def _predict_batch(self, named: Sequence[tuple[str, Any]]) -> list[Prediction]:
        from gellib.models.features import unaugmented_view

        views: dict[int, np.ndarray] = {}
        errors: dict[int, str] = {}
        color: Literal["grey", "rgb"] = (
            "rgb" if self.backbone.preprocessing.color == "rgb" else "grey"
        )
        for place, (name, content) in enumerate(named):
            try:
                image = read_image(content, color=color, limits=self.limits, name=name)
                # Views alone are kept: decoded images may be of a hundred megapixels each.
                views[place] = unaugmented_view(image, self.backbone.preprocessing)
            except BadImageError as err:
                errors[place] = err.reason
        rows = self._probabilities(list(views.values())) if views else []
        predicted = dict(zip(views, rows, strict=True))
        return [
            Prediction(name, error=errors[place])
            if place in errors
            else self._prediction(name, *predicted[place])
            for place, (name, _) in enumerate(named)
        ]

    def _prediction(self, name: str, row: np.ndarray, scores: np.ndarray | None) -> Prediction:
        shares = {c: float(p) for c, p in zip(self.classes, row, strict=True)}
        given = self.task.decide(row[None], list(self.thresholds.values()) or None)
        (label,) = name_labels(given, self.classes)
        found = Prediction(name, label, shares, self.name, "", self.thresholds)
        if self.rule is not None:
            (own,) = self.rule.apply(row[None], exclusive=self.task.exclusive)
            members = tuple(c for c, inside in zip(self.classes, own, strict=True) if inside)
            found = replace(found, members=members)
        if scores is not None:
            own_score = float(scores[row.argmax()] if self.task.exclusive else scores[0])
            found = replace(found, ood_score=own_score, unlike_all=bool((scores > 1).all()))
        return found

    def _probabilities(self, views: Sequence[np.ndarray]) -> list[tuple[np.ndarray, Any]]:
        """Probabilities of each image, and how unlike the training images of each class it is."""
        from gellib.models.features import view_statistics
        from gellib.models.training import head_probabilities, view_features

        features = view_features(
            self.backbone,
            (view[None] for view in views),
            len(views),
            self.compute,
        )
        raw = head_probabilities(self.head, features)
        rows = self.task.apply_temperature(raw, self.temperature)
        if self.detector is None:
            return [(row, None) for row in rows]
        statistics = np.stack([view_statistics(v) for v in views])
        count = len(self.classes) if self.task.exclusive else 1
        scores = [
            self.detector.score(
                features,
                statistics,
                np.full(len(views), number) if self.task.exclusive else None,
            )
            for number in range(count)
        ]
        return list(zip(rows, np.stack(scores, axis=1), strict=True))


def named_source(source: Source, number: int) -> tuple[str, Any]:
    """Separate a source's name, such as `image 2` for bytes without one, from what is read."""
    if isinstance(source, tuple):
        name, content = source
        return name, bytes(content)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"image {number}", bytes(source)
    return str(source), Path(source)


def expand_files(paths: Iterable[str | Path]) -> list[Path]:
    """Replace folders by the images below them, sorted; files stay, missing ones too.

    A missing file then gets its own error among the predictions, and the others go on.

    Raises
    ------
    PredictorError
        When there is not one file.
    """
    given = [Path(path) for path in paths]
    files = [file for p in given for file in (sorted(find_images(p)) if p.is_dir() else [p])]
    if not files:
        where = ", ".join(map(str, given)) or "nothing"
        raise PredictorError(f"no images: got {where}; expected image files, or folders of them")
    return files
