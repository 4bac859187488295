"""Zero-shot prediction of gel or not: the class head pretrained on simulated images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gellib.data.image_files import BadImageError, ImageLimits
from gellib.data.images import read_image
from gellib.labsim.pretraining import load_class_model, read_card
from gellib.labsim.simulate.class_words import class_in_words
from gellib.models.backbones.labsim_weights import shipped_weights
from gellib.models.features import unaugmented_view
from gellib.models.training import head_probabilities, view_features
from gellib.training_run.predictor import ImageSource, Prediction, named_source

POSITIVE, NEGATIVE = "gel", "not_gel"
_BATCH = 64


@dataclass(frozen=True)
class ZeroShotPrediction(Prediction):
    """Prediction of one image; `nearest` is the most probable simulated class."""

    nearest: str = ""

    @property
    def likeness(self) -> str:
        """What the image is most like, in words; empty where it cannot be read."""
        return class_in_words(self.nearest) if self.nearest else ""

    def to_dict(self) -> dict[str, Any]:
        """Return `file, label, probabilities, run, nearest`, or `file, error`."""
        return super().to_dict() | ({} if self.error else {"nearest": self.nearest})


class ZeroShot:
    """A shipped backbone with its class head; used like a `Predictor`.

    The probability of a gel is the sum over the simulated classes that are gels.

    Parameters
    ----------
    backbone
        resnet18, mobilenet-v3 or vgg16.
    weights
        File of `gellib pretrain`; empty: the shipped one.

    Raises
    ------
    BackboneError
        If no weights are shipped for the backbone.
    """

    def __init__(self, backbone: str = "resnet18", *, weights: str | Path = "") -> None:
        path = Path(weights) if weights else shipped_weights(backbone)
        self.backbone, self.head, self.classes = load_class_model(path)
        self.name = f"labsim {backbone} (no training)"
        self.card = read_card(path)
        self.labels = (POSITIVE, NEGATIVE)
        self.limits = ImageLimits()

    def predict(self, sources: Sequence[ImageSource]) -> list[ZeroShotPrediction]:
        """Predict each source; one that cannot be read gets an error, the others are predicted."""
        named = [named_source(source, number) for number, source in enumerate(sources, start=1)]
        results: list[ZeroShotPrediction] = []
        # In batches: a folder may hold any number.
        for start in range(0, len(named), _BATCH):
            results += self._predict_batch(named[start : start + _BATCH])
        return results

    def _predict_batch(self, named: Sequence[tuple[str, Any]]) -> list[ZeroShotPrediction]:
        views: list[np.ndarray] = []
        errors: dict[int, str] = {}
        for place, (name, content) in enumerate(named):
            try:
                image = read_image(content, limits=self.limits, name=name)
                # Views alone are kept: decoded images may be of a hundred megapixels each.
                views.append(unaugmented_view(image, self.backbone.preprocessing)[None])
            except BadImageError as err:
                errors[place] = err.reason
        rows = iter(self._probabilities(views) if views else [])
        return [
            ZeroShotPrediction(name, error=errors[place])
            if place in errors
            else self._prediction(name, next(rows))
            for place, (name, _) in enumerate(named)
        ]

    def _probabilities(self, views: list[np.ndarray]) -> np.ndarray:
        features = view_features(self.backbone, iter(views), len(views))
        return head_probabilities(self.head, features)

    def _prediction(self, name: str, row: np.ndarray) -> ZeroShotPrediction:
        gel = float(row[list(self.classes.values())].sum())
        shares = {POSITIVE: gel, NEGATIVE: 1 - gel}
        label = POSITIVE if gel > 0.5 else NEGATIVE
        return ZeroShotPrediction(
            name, label, shares, self.name, nearest=list(self.classes)[int(row.argmax())]
        )
