"""The sections of a record, each with what a run that did not finish lacks as its default."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

_NAN = math.nan


class Section(BaseModel):
    """Keys that this version does not know are kept, and written again as they were read."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    def to_dict(self) -> dict[str, Any]:
        """Return what was set or read, as plain values; defaults are left out."""
        return self.model_dump(by_alias=True, exclude_unset=True)


class SkippedImage(Section):
    """An image that could not be read, by its path below the root, and why."""

    file: str
    reason: str = ""


class ExtraRecord(Section):
    """Further images that were trained on and never tested: how many, in all and by class.

    `known` were left out because the data set has the same images, `unreadable` cannot be read.
    """

    root: str = ""
    fingerprint: str = ""
    images: int = 0
    counts: dict[str, int] = {}
    known: int = 0
    unreadable: int = 0


class DataRecord(Section):
    """The images of a run: `counts` is by class and split, without `extra`.

    `task` is the name of a `Task`; the first version wrote `binary` and `multiclass` for one label.
    """

    root: str = ""
    fingerprint: str = ""
    classes: list[str] = []
    positive: str = ""
    task: str = ""
    counts: dict[str, dict[str, int]] = {}
    duplicates: dict[str, Any] = {}
    families: dict[str, Any] = {}
    skipped_images: list[SkippedImage] = []
    extra: ExtraRecord = ExtraRecord()


class EnvironmentRecord(Section):
    """The machine and the versions of a run."""

    python: str = ""
    gellib: str = ""
    torch: str = ""
    torchvision: str = ""
    timm: str = ""
    scikit_learn: str = ""
    numpy: str = ""
    scipy: str = ""
    pillow: str = ""
    platform: str = ""
    device: str = ""
    threads: int = 0
    precision: str = "auto"
    git_commit: str = ""


class WeightsRecord(Section):
    """The pretrained weights; `warning` says why the results mean little, if so."""

    name: str = ""
    source: str = ""
    sha256: str = ""
    warning: str = ""


class ParameterCounts(Section):
    """Parameters of backbone and head, and those of them that were trained."""

    total: int | None = None
    trained: int | None = None


class Timings(Section):
    """Seconds of each step (but `images_per_s`), NaN where it was not timed."""

    data_s: float = _NAN
    weights_s: float = _NAN
    features_s: float = _NAN
    training_s: float = _NAN
    # All fits of the folds; `training_s` is the final one alone.
    cross_validation_s: float = _NAN
    evaluation_s: float = _NAN
    # The first version called it `doubt_s`.
    uncertainty_s: float = Field(
        default=_NAN, validation_alias=AliasChoices("uncertainty_s", "doubt_s")
    )
    inference_s: float = _NAN
    images_per_s: float = _NAN
    inference_s_per_image: float = _NAN
    explain_s: float = _NAN
    total_s: float = _NAN


class EvaluationRecord(Section):
    """How the run was evaluated: `cv`, by cross-validation within the run, or `holdout`.

    `groups` is the number of units that stayed whole in the folds: groups, and images without one.
    `best_epochs` has one entry per repeat and fold. Records of the first version were all
    holdouts.
    """

    method: Literal["cv", "holdout"] = "holdout"
    folds: int = 0
    repeats: int = 0
    groups: int | None = None
    best_epochs: list[int] = []

    @property
    def words(self) -> str:
        """The cross-validation in words: `5 folds x 5 repeats`; empty for a holdout."""
        if self.method == "holdout":
            return ""
        return f"{self.folds} folds" + f" x {self.repeats} repeats" * (self.repeats > 1)


class CalibrationRecord(Section):
    """The temperature, and scores of calibration before and after it.

    On the test images; without a test part, on the out-of-fold predictions.
    """

    temperature: float = 1.0
    n_val: int = 0
    reason: str = ""
    n: int = 0


class UncertaintyRecord(Section):
    """How well uncertainty finds the mistakes on `n` test images, by measure."""

    samples: int = 0
    n: int = 0
    entropy: dict[str, Any] = {}
    mutual_information: dict[str, Any] = {}


class OutOfDistributionRecord(Section):
    """The detector of images unlike the training images; `reason` where there is none."""

    reason: str = ""
    rate: float | None = None
    n: int | None = None
    test_flagged: int | None = None
    n_test: int | None = None


class PredictionSetsRecord(Section):
    """The prediction sets: `classes` has threshold and number of independent images by class.

    `source` is where the thresholds are from, `out-of-fold` or `validation`; `too_few` names the
    classes for which nothing is promised. Of `n` scored images, `single` have a set of one class,
    `empty` one of none.
    """

    level: float | None = None
    source: str = ""
    classes: dict[str, dict[str, float]] = {}
    too_few: list[str] = []
    n: int | None = None
    single: int | None = None
    empty: int | None = None


class ThresholdsRecord(Section):
    """Multilabel: the probability from which each label is given, by class."""

    values: dict[str, float] = {}
    chosen_on: str = ""
    not_tuned: list[str] = []


class ErrorRecord(Section):
    """The exception that ended a run."""

    cell: int | None = None
    ename: str = ""
    evalue: str = ""
    traceback: str | list[str] = ""
