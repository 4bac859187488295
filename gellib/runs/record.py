"""`record.json`, typed and versioned: what was run, on what, and what came out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from gellib.runs.record_sections import (
    CalibrationRecord,
    DataRecord,
    EnvironmentRecord,
    ErrorRecord,
    EvaluationRecord,
    OutOfDistributionRecord,
    ParameterCounts,
    PredictionSetsRecord,
    Section,
    ThresholdsRecord,
    Timings,
    UncertaintyRecord,
    WeightsRecord,
)

if TYPE_CHECKING:
    from gellib.evaluation.task import Task

SCHEMA = 1
_ROUNDING = 1e-9
Status = Literal["done", "failed", "skipped"]


class RecordError(ValueError):
    """A record cannot be read; the message names the file and says why, in one sentence.

    `other_version` says that it is whole, but of a version of gellib that this one does not know.
    """

    def __init__(self, message: str, *, other_version: bool = False) -> None:
        super().__init__(message)
        self.other_version = other_version


class Record(Section):
    """What was run, on what, and what came out: all of `record.json`.

    `config` is the configuration as plain values, because a record may be of a version with other
    parameters. `metrics` is by split, then by the name of the metric. What a run that failed or
    was skipped does not have is empty, None or NaN.
    """

    version: int = Field(alias="schema")
    status: Status
    reason: str = ""
    name: str = ""
    config: dict[str, Any]
    config_hash: str = ""
    data: DataRecord = DataRecord()
    evaluation: EvaluationRecord = EvaluationRecord()
    environment: EnvironmentRecord = EnvironmentRecord()
    weights: WeightsRecord = WeightsRecord()
    features: int | None = None
    parameters: ParameterCounts = ParameterCounts()
    best_epoch: int | None = None
    stopped_epoch: int | None = None
    timings: Timings = Timings()
    metrics: dict[str, dict[str, Any]] = {}
    calibration: CalibrationRecord | None = None
    uncertainty: UncertaintyRecord | None = None
    out_of_distribution: OutOfDistributionRecord | None = None
    prediction_sets: PredictionSetsRecord | None = None
    thresholds: ThresholdsRecord | None = None
    error: ErrorRecord | None = None

    @property
    def done(self) -> bool:
        """Whether the run has finished."""
        return self.status == "done"

    @property
    def test(self) -> dict[str, Any]:
        """Metrics on the test images, by name; empty where the run has none."""
        return self.metrics.get("test", {})

    @property
    def val(self) -> dict[str, Any]:
        """Metrics that choose, by name: on the validation images, or out of fold; or empty."""
        return self.metrics.get("val", {})

    @property
    def scores(self) -> dict[str, Any]:
        """Metrics that say how good the run is: on the test images; without them, out of fold."""
        return self.test or (self.val if self.evaluation.method == "cv" else {})

    @property
    def scored_on(self) -> str:
        """What `scores` are of: `test`, or `out-of-fold`."""
        return "test" if self.test or self.evaluation.method == "holdout" else "out-of-fold"

    @property
    def task(self) -> Task:
        """Whether its images have one label or several."""
        # Only here: it needs scikit-learn, and listing runs does not.
        from gellib.evaluation.task import MULTILABEL, find_task, task_of_labels

        if self.data.task:
            return find_task(self.data.task)
        return task_of_labels(MULTILABEL.headline in self.scores)

    @classmethod
    def read(cls, path: Path) -> Record:
        """Read a `record.json`.

        Raises
        ------
        RecordError
            When there is none, it is damaged, or of another version.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RecordError(f"{path}: there is no record") from None
        except OSError as err:
            raise RecordError(f"{path}: the record cannot be read: {err.strerror}") from err
        except (ValueError, RecursionError):
            raise RecordError(f"{path}: the record is damaged: it is not JSON") from None
        return cls.parse(found, str(path))

    @classmethod
    def parse(cls, found: Any, where: str = "record") -> Record:
        """Check the plain values of a record; `where` is named in messages.

        Raises
        ------
        RecordError
            When a key is missing or wrong, or the record is of another version.
        """
        if not isinstance(found, dict) or not isinstance(found.get("schema"), int):
            raise RecordError(f"{where}: the record is damaged: it has no number of its schema")
        if found["schema"] != SCHEMA:
            raise RecordError(
                f"{where}: the record has schema {found['schema']}, and this version of gellib "
                f"reads schema {SCHEMA}; read it with the version that wrote it",
                other_version=True,
            )
        try:
            record = cls.model_validate(found)
        except ValidationError as err:
            first = err.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise RecordError(f"{where}: the record is damaged: {key}: {first['msg']}") from None
        missing = {"accuracy", "n"} - record.scores.keys()
        if record.done and missing:
            part = "test" if record.scored_on == "test" else "val"
            raise RecordError(
                f"{where}: the record is damaged: metrics.{part} has no "
                f"{', '.join(sorted(missing))}"
            )
        if record.done and (wrong := record._wrong()):
            raise RecordError(f"{where}: the record is damaged: {wrong}")
        if record.done and record.evaluation.method == "cv":
            record._score_over_repeats()
        return record

    def _score_over_repeats(self) -> None:
        """Let the score out of fold be the mean over the repeats, as new records have it.

        Earlier ones have that of the mean probabilities there, which is another number.
        """
        name, repeats = self.task.headline, self.val.get("repeats")
        known = isinstance(repeats, list) and all(isinstance(own, (int, float)) for own in repeats)
        if not repeats or not known or name not in self.val:
            return
        mean = math.fsum(repeats) / len(repeats)
        if math.isfinite(mean) and abs(mean - self.val[name]) > _ROUNDING:
            self.val[name] = mean
            bounds = self.val.get("intervals")
            ends = bounds.get(name) if isinstance(bounds, dict) else None
            if isinstance(bounds, dict) and ends and None not in ends:
                bounds[name] = [min(ends[0], mean), max(ends[1], mean)]

    def _wrong(self) -> str:
        """Say what of the parts that rank and name runs has a value of another kind."""
        try:
            headline = self.task.headline
        except ValueError as err:
            return f"data.task: {err}"
        for split, metrics in self.metrics.items():
            for name in ("accuracy", "n", "loss", headline):
                value = metrics.get(name, 0)
                if isinstance(value, bool) or not isinstance(value, (int, float)):
                    return f"metrics.{split}.{name} is {value!r:.40}, expected a number"
                if name in ("accuracy", "n") and not math.isfinite(value):
                    return f"metrics.{split}.{name} is {value!r}, expected a finite number"
        return ""
