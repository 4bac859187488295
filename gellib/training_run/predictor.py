"""Predict new images with a finished run: `Predictor`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gellib.base.paths import find_path, shown_path
from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.data.imageset import name_labels
from gellib.data.layouts.folders import find_images
from gellib.runs import RunFolder
from gellib.training_run.find_runs import PredictorError, read_finished
from gellib.training_run.prediction import Prediction
from gellib.training_run.training_images import TrainingImages

# An image to be read: a file, its bytes, or its name and bytes.
ImageSource = str | Path | bytes | tuple[str, bytes]

_AT_ONCE = 64
# Probabilities that exclude each other sum to one, to the rounding of a head in half precision.
_SUM_ERROR = 1e-2
NOT_PROBABLE = (
    "the model gives it no probabilities, but values such as NaN: the model is damaged, or its "
    "training failed; use another run"
)


class Predictor:
    """The trained model of one finished run, with the preparation of images that it was trained on.

    Raises
    ------
    PredictorError
        When the run has not finished, or its record or model is damaged or gone.
    """

    def __init__(self, run: RunFolder | str | Path) -> None:
        self.run = run if isinstance(run, RunFolder) else RunFolder(find_path(run))
        self.record = record = read_finished(self.run)
        # Only here: torch takes seconds to import, and what is wrong is said before.
        from gellib.models.backbones import choose_device, device_missing
        from gellib.models.compute import Compute
        from gellib.training_run.finished_model import FinishedModel

        config = record.config
        self.model = found = FinishedModel.load(self.run, record)
        self.name = Path(shown_path(self.run.path)).as_posix()
        self.classes, self.limits = found.classes, found.limits
        self.backbone, self.head, self.metadata = found.backbone, found.head, found.metadata
        self.task, self.temperature = self.head.task, found.temperature
        self.detector, self.thresholds, self.rule = found.detector, found.thresholds, found.rule
        self.training_images = TrainingImages.read(self.run, record)
        # The arithmetic of the run, so that predictions are equal to its own; a run of a GPU that
        # is not here predicts on the CPU, and agrees to rounding.
        here = not device_missing(config["hardware_type"])
        self.compute = Compute(
            choose_device(config["hardware_type"] if here else "cpu"),
            record.environment.precision if here else "auto",
        )
        self.head.to(self.compute.device)

    def predict(self, sources: Sequence[ImageSource]) -> list[Prediction]:
        """Predict each source; one that cannot be read gets its error, the others go on."""
        # Some at a time: a folder may hold any number.
        return [one for found, _ in self._in_batches(sources) for one in found]

    def predict_with_features(
        self, sources: Sequence[ImageSource], progress: Callable[..., Iterable[Any]] | None = None
    ) -> tuple[list[Prediction], np.ndarray]:
        """Predict each source, and return the features (n, d) too; NaN where one is not readable.

        `progress` wraps an iterable of batches and takes its `total`, `desc` and `unit`, as `tqdm`
        does.
        """
        batches: Iterable[Any] = self._in_batches(sources)
        if progress:
            count = -(-len(sources) // _AT_ONCE)
            batches = progress(batches, total=count, desc="predicting", unit=" batches")
        results: list[Prediction] = []
        features = np.full((len(sources), self.head.in_features), np.nan, dtype=np.float32)
        for predictions, found in batches:
            for place, row in found.items():
                features[len(results) + place] = row
            results += predictions
        return results, features

    def _in_batches(
        self, sources: Sequence[ImageSource]
    ) -> Iterator[tuple[list[Prediction], dict[int, np.ndarray]]]:
        named = [named_source(source, number) for number, source in enumerate(sources, start=1)]
        for start in range(0, len(named), _AT_ONCE):
            yield self._predict_batch(named[start : start + _AT_ONCE])

    def _predict_batch(
        self, named: Sequence[tuple[str, Any]]
    ) -> tuple[list[Prediction], dict[int, np.ndarray]]:
        """Return the predictions, and the features of each readable image by its place."""
        from gellib.models.features import map_in_threads
        from gellib.models.training import view_features

        read = list(map_in_threads(self._read_view, named, ahead=len(named)))
        views = {i: view for i, view in enumerate(read) if isinstance(view, np.ndarray)}
        errors = {i: reason for i, reason in enumerate(read) if isinstance(reason, str)}
        if not views:
            return [Prediction(name, error=errors[i]) for i, (name, _) in enumerate(named)], {}
        features = view_features(
            self.backbone, (view[None] for view in views.values()), len(views), self.compute
        )
        rows = self._probabilities(list(views.values()), features)
        predicted = dict(zip(views, rows, strict=True))
        contents = [content for _, content in named]
        own = list(map_in_threads(self.training_images.has, contents, ahead=len(named)))
        predictions = [
            Prediction(name, error=errors[place])
            if place in errors
            else replace(self._prediction(name, *predicted[place]), trained_on=own[place])
            for place, (name, _) in enumerate(named)
        ]
        return predictions, dict(zip(views, features, strict=True))

    def _read_view(self, named: tuple[str, Any]) -> np.ndarray | str:
        """Return the view of an image, or why it cannot be read.

        Views alone are kept: decoded images may be of a hundred megapixels each.
        """
        from gellib.models.features import unaugmented_view

        name, content = named
        own = self.backbone.preprocessing
        color: Literal["grey", "rgb"] = "rgb" if own.color == "rgb" else "grey"
        try:
            image = read_image(content, color=color, limits=self.limits, name=name)
        except BadImageError as err:
            return err.reason
        return unaugmented_view(image, own)

    def _prediction(self, name: str, row: np.ndarray, scores: np.ndarray | None) -> Prediction:
        if not _probable(row, exclusive=self.task.exclusive):
            # `argmax` of NaN is the first class.
            return Prediction(name, error=NOT_PROBABLE)
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

    def _probabilities(
        self, views: Sequence[np.ndarray], features: np.ndarray
    ) -> list[tuple[np.ndarray, Any]]:
        """Probabilities of each image, and how unlike the training images of each class it is."""
        from gellib.models.features import view_statistics
        from gellib.models.training import head_probabilities

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


def _probable(row: np.ndarray, *, exclusive: bool) -> bool:
    """Tell whether the values of one image are probabilities."""
    within = bool(np.isfinite(row).all() and (row >= 0).all() and (row <= 1 + _SUM_ERROR).all())
    return within and (not exclusive or abs(float(row.sum()) - 1) < _SUM_ERROR)


def named_source(source: ImageSource, number: int) -> tuple[str, Any]:
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
