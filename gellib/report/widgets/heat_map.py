"""The regions of an image that decided its prediction, as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from gellib import plots
from gellib.data.images import read_image
from gellib.report.thumbnails import PREVIEW_PX, encode, image_tag
from gellib.training_run.predictor import ImageSource, Prediction, Predictor, named_source

if TYPE_CHECKING:
    from gellib.labsim.zeroshot import ZeroShot

_AT_ONCE = 4


@dataclass(frozen=True)
class Overlay:
    """An image as the network saw it with the map of a class over it."""

    image: Image.Image
    target: str
    method: str

    @property
    def meaning(self) -> str:
        """What its colours mean."""
        means = "had attention" if "attention" in self.method else f"speak for {self.target}"
        return f"coloured regions {means} ({self.method})"

    def tag(self, name: str, side: int = PREVIEW_PX) -> str:
        """Return it as HTML; `name` is that of the image."""
        small = self.image.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        return image_tag(encode(small, "JPEG"), f"Heat map of {name}: {self.meaning}", side)


def heat_maps(
    predictor: Predictor | ZeroShot,
    sources: Sequence[ImageSource],
    predictions: Sequence[Prediction],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Overlay | None]:
    """Draw what the network looked at in each image, for its most probable class.

    Parameters
    ----------
    predictor
        The model.
    sources
        The images.
    predictions
        Their predictions; for one without, there is None.
    progress
        Called with how many are drawn, and of how many.

    Raises
    ------
    ExplainError
        When a package is missing, or no layer of the network has maps.
    """
    drawn: list[Overlay | None] = []
    for start in range(0, len(sources), _AT_ONCE):
        progress(start, len(sources))
        part = slice(start, start + _AT_ONCE)
        drawn += _draw(predictor, sources[part], predictions[part])
    return drawn


def _draw(
    predictor: Predictor | ZeroShot,
    sources: Sequence[ImageSource],
    predictions: Sequence[Prediction],
) -> list[Overlay | None]:
    # Only here: torch takes seconds to import.
    from gellib.models.compute import ON_CPU
    from gellib.models.explain import explain_views
    from gellib.models.features import unaugmented_view

    preprocessing = predictor.backbone.preprocessing
    color: Literal["grey", "rgb"] = "rgb" if preprocessing.color == "rgb" else "grey"
    views: dict[int, np.ndarray] = {}
    for place, (source, prediction) in enumerate(zip(sources, predictions, strict=True)):
        if not prediction.error:
            name, content = named_source(source, place)
            image = read_image(content, color=color, limits=predictor.limits, name=name)
            views[place] = unaugmented_view(image, preprocessing)
    if not views:
        return [None] * len(sources)
    classes = list(predictor.classes)
    targets = [_target(predictions[place]) for place in views]
    found = explain_views(
        predictor.backbone,
        predictor.head,
        np.stack([*views.values()]),
        [classes.index(name) for name in targets],
        replace(getattr(predictor, "compute", ON_CPU), precision="fp32"),
    )
    shown = [getattr(predictions[place], "likeness", "") for place in views]
    named = [likeness or target for likeness, target in zip(shown, targets, strict=True)]
    pairs = zip(found.views, found.maps, named, strict=True)
    drawn = [
        Overlay(Image.fromarray(plots.lay_over(m, v)), name, found.method) for v, m, name in pairs
    ]
    by_place = dict(zip(views, drawn, strict=True))
    return [by_place.get(place) for place in range(len(sources))]


def _target(prediction: Prediction) -> str:
    # The model without training tells classes apart that it does not name.
    nearest = getattr(prediction, "nearest", "")
    shares = prediction.probabilities
    return nearest or max(shares, key=lambda name: shares[name])
