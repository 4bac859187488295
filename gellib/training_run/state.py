"""What a training run holds between its steps, and its errors when a step comes too early."""

from __future__ import annotations

from typing import Any

import pandas as pd

from gellib.base.files import write_json
from gellib.base.paths import expand_user, project_folder
from gellib.config import RunConfig
from gellib.data import ImageSet
from gellib.models.backbones import Backbone
from gellib.models.compute import Compute
from gellib.models.training import TrainResult
from gellib.runs import RunFolder
from gellib.training_run.run_evaluation import RunEvaluation
from gellib.training_run.steps import LoadedImages, TrainingRunError
from gellib.training_run.uncertainty import RunUncertainty


class RunState:
    """The results of the steps of one run, each a property that names the step it needs.

    Attributes
    ----------
    config
        The configuration of the run.
    folder
        Where its files go.
    timings
        Seconds of each step so far, by name.
    """

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.timings: dict[str, float] = {}
        path = (
            expand_user(config.run_dir)
            if config.run_dir
            else project_folder() / "runs" / "single" / config.name()
        )
        self.folder = RunFolder(path.resolve())
        # An earlier result must not pass for this one's while this one is under way.
        self.folder.record.unlink(missing_ok=True)
        write_json(self.folder.config, config.model_dump())
        self._loaded: LoadedImages | None = None
        self._backbone: tuple[Backbone, Compute] | None = None
        self._result: TrainResult | None = None
        self._evaluated: tuple[RunEvaluation, RunUncertainty, pd.DataFrame] | None = None

    @property
    def loaded(self) -> LoadedImages:
        """The images, and what was found out about them while they were loaded."""
        return self._need_images("loaded")

    @property
    def images(self) -> ImageSet:
        """The images, split."""
        return self._need_images("images").images

    @property
    def backbone(self) -> Backbone:
        """The backbone with its weights."""
        return self._need_backbone("backbone")[0]

    @property
    def compute(self) -> Compute:
        """How the run computes: device, precision, store of features."""
        return self._need_backbone("compute")[1]

    @property
    def result(self) -> TrainResult:
        """What training gave: head, backbone and history."""
        return self._need_result("result")

    @property
    def evaluation(self) -> RunEvaluation:
        """Metrics, probabilities and calibration."""
        return self._need_evaluation("evaluation")[0]

    @property
    def uncertainty(self) -> RunUncertainty:
        """What is uncertain about the test images."""
        return self._need_evaluation("uncertainty")[1]

    @property
    def predictions(self) -> pd.DataFrame:
        """One row per image; see `TrainingRun.evaluate` for the columns."""
        return self._need_evaluation("predictions")[2]

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Metrics by split, then by name."""
        return self._need_evaluation("metrics")[0].metrics

    def _need_images(self, step: str) -> LoadedImages:
        if self._loaded is None:
            raise TrainingRunError(f"{step}: there are no images yet; run section 2 first")
        return self._loaded

    def _need_backbone(self, step: str) -> tuple[Backbone, Compute]:
        if self._backbone is None:
            raise TrainingRunError(f"{step}: there is no backbone yet; run section 3 first")
        return self._backbone

    def _need_result(self, step: str) -> TrainResult:
        if self._result is None:
            raise TrainingRunError(f"{step}: there is nothing trained yet; run section 4 first")
        return self._result

    def _need_evaluation(self, step: str) -> tuple[RunEvaluation, RunUncertainty, pd.DataFrame]:
        if self._evaluated is None:
            raise TrainingRunError(f"{step}: nothing is evaluated yet; run section 5 first")
        return self._evaluated
