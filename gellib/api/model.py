"""A trained model and its predictions, as a table."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gellib.api.image_sources import ONE_IMAGE, ImageSource, sources_of

if TYPE_CHECKING:
    from gellib.training_run.predictor import Predictor


class Model:
    """A trained model, ready for new images; made by `load`."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    @property
    def name(self) -> str:
        """The folder of the run that trained it."""
        return self._predictor.name

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that it distinguishes."""
        return self._predictor.classes

    def predict(self, images: ImageSource | Sequence[ImageSource]) -> pd.DataFrame:
        """Predict images; one that cannot be read gets its reason, the others go on.

        Parameters
        ----------
        images
            One image or a list of images: files, folders of images, bytes, (name, bytes), Pillow
            images, or arrays (height, width) or (height, width, 3) of uint8 or uint16.

        Returns
        -------
        DataFrame
            One row per image: `file`, `label`, `p_<class>` (calibrated probabilities, 0..1),
            `statement` (what can be said of it, such as `gel or not_gel: cannot say`: all are in
            docs/predict.md), `unlike_training` (whether it is unlike the training images of its
            class; `<NA>` where that is not known), `training_image` (whether the model was trained
            on this very image, so that what it says of it is no test; a warning counts them) and
            `error` (why it could not be read; empty where it could).

        Raises
        ------
        TypeError
            For what is no image; nothing is predicted then.
        PredictorError
            For a folder without images.
        """
        from gellib.training_run.prediction import predictions_table
        from gellib.training_run.training_images import training_note

        sources: list[Any] = []
        alone = isinstance(images, ONE_IMAGE) or not isinstance(images, Iterable)
        listed: Any = images
        given: list[Any] = [images] if alone else list(listed)
        for number, image in enumerate(given, start=1):
            sources += sources_of(image, number)
        found = self._predictor.predict(sources)
        if note := training_note(found):
            warnings.warn(note, stacklevel=2)
        return predictions_table(found, self.classes)

    def __repr__(self) -> str:
        return f"Model of {self.name}: {', '.join(self.classes)}"


def load(folder: str | Path = "runs") -> Model:
    """Load the best model below a folder: of all sweeps, of one sweep, or of one run.

    Raises
    ------
    PredictorError
        When no run below it has finished, or its model is gone.

    Examples
    --------
    After the example of `sweep`:

    >>> model = gellib.load("mine")
    >>> model.classes
    ('gel', 'not_gel')
    >>> model.predict(["practice/test/gel", ("empty", b"")])["error"].astype(bool).tolist()[-1]
    True
    """
    from gellib.training_run.find_runs import find_best_run
    from gellib.training_run.predictor import Predictor

    return Model(Predictor(find_best_run(folder)))
