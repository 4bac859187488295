"""What predicts: the model of a finished run and what belongs to it, checked before it is used."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gellib.data.image_files import ImageLimits
from gellib.evaluation import PredictionSetRule
from gellib.models.backbones import Backbone, BackboneError, WeightsMissing
from gellib.models.explain import load_detector
from gellib.models.explain.earlier_detector import EarlierDetector
from gellib.models.explain.out_of_distribution import OutOfDistribution
from gellib.models.features import unaugmented_view, view_statistics
from gellib.models.heads import Head
from gellib.models.training import ModelError, load_model, load_tensors
from gellib.runs import Record, RunFolder
from gellib.training_run.find_runs import PredictorError, model_file

# What reading a damaged file may end in; anything else is a mistake of this program.
_DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, OSError,
    RecursionError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
# No parameter makes a larger view: `image_size` is at most 2048.
_LARGEST_SIDE = 4096


@dataclass(frozen=True)
class FinishedModel:
    """A model and what belongs to it; `detector` and `rule` are None where the model has none."""

    backbone: Backbone
    head: Head
    metadata: dict[str, Any]
    classes: tuple[str, ...]
    limits: ImageLimits
    temperature: float
    thresholds: dict[str, float]
    detector: OutOfDistribution | EarlierDetector | None
    rule: PredictionSetRule | None

    @classmethod
    def load(cls, run: RunFolder, record: Record) -> FinishedModel:
        """Load the model of a run.

        Raises
        ------
        PredictorError
            When the model is gone, or record or model are damaged or not of one run; the message
            names the file.
        WeightsMissing
            When the pretrained weights are not on this machine.
        """
        with _named(run.record, "record"):
            classes = tuple(record.data.classes)
            config = record.config
            if config["hardware_type"] not in ("cpu", "gpu"):
                raise ValueError(f"hardware_type is {config['hardware_type']!r}")
            limits = ImageLimits(
                max_bytes=int(_positive(config["max_image_mb"], "max_image_mb") * 1e6),
                max_pixels=int(_positive(config["max_image_mpx"], "max_image_mpx") * 1e6),
            )
            path = model_file(run, record)
        if not path.is_file():
            raise PredictorError(
                f"the model of {run.path} is gone: there is no {path}. "
                "Run it again, or choose another run."
            )
        with _named(path, "model"):
            backbone, head, metadata = load_model(path)
            tensors = load_tensors(path)
            _trial_view(backbone)
            _check_finite({**head.state_dict(), **backbone.own_state(), **tensors})
            named = tuple(metadata.get("classes", classes))
            if named != classes or head.n_classes != len(classes):
                raise ValueError(f"it has other classes than {run.record.name}")
            cuts = metadata.get("thresholds", ())
            for cut in cuts:
                _finite(cut, "a threshold")
            rule = metadata.get("prediction_sets")
            known = metadata.get("out_of_distribution")
            return cls(
                backbone,
                head,
                metadata,
                classes,
                limits,
                _positive(metadata.get("temperature", 1.0), "temperature"),
                dict(zip(classes, cuts, strict=True)) if cuts else {},
                _checked_detector(tensors, known, backbone, head) if known else None,
                _checked_rule(rule, len(classes)) if rule else None,
            )


@contextlib.contextmanager
def _named(path: Path, kind: str) -> Iterator[None]:
    """Turn what a damaged file ends in into one sentence that names it."""
    try:
        yield
    except (PredictorError, ModelError, WeightsMissing):
        raise
    except BackboneError as err:
        raise PredictorError(f"{path}: {err}") from err
    except _DAMAGE as err:
        what = f"it has no {err}" if isinstance(err, KeyError) else str(err) or type(err).__name__
        what = " ".join(what.split())
        raise PredictorError(
            f"{path}: the {kind} is damaged, or of another version of gellib: {what[:200]}. "
            "Run it again, or choose another run."
        ) from err


def _positive(value: Any, name: str) -> float:
    if _finite(value, name) <= 0:
        raise ValueError(f"{name} is {value!r}, expected a positive number")
    return float(value)


def _finite(value: Any, name: str) -> float:
    number = not isinstance(value, bool) and isinstance(value, (int, float))
    if not number or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}, expected a number")
    return float(value)


def _checked_rule(metadata: Any, n_classes: int) -> PredictionSetRule:
    rule = PredictionSetRule.load(metadata)
    if len(rule.thresholds) != n_classes or len(rule.groups) != n_classes:
        raise ValueError("prediction_sets are of another number of classes")
    for value in rule.thresholds:
        _finite(value, "a threshold of prediction_sets")
    return rule


def _checked_detector(
    tensors: dict[str, Any], metadata: Any, backbone: Backbone, head: Head
) -> OutOfDistribution | EarlierDetector:
    """Rebuild the detector; applied once, so that what does not fit is found now."""
    detector = load_detector(tensors, metadata)
    statistics = view_statistics(_trial_view(backbone))[None]
    numbers = range(head.n_classes) if head.task.exclusive else (None,)
    for number in numbers:
        classes = None if number is None else np.array([number])
        detector.score(np.ones((1, backbone.dim), dtype=np.float32), statistics, classes)
    return detector


def _trial_view(backbone: Backbone) -> np.ndarray:
    """Prepare a black image as the model says, so that what cannot be followed is found now."""
    own = backbone.preprocessing
    for name in ("image_size", "resize_size"):
        value = getattr(own, name)
        if not isinstance(value, int) or not 1 <= value <= _LARGEST_SIDE:
            raise ValueError(f"{name} is {value!r}, expected a number of 1..{_LARGEST_SIDE}")
    if len(own.mean) not in (1, 3) or len(own.std) != len(own.mean):
        raise ValueError("mean and std are not of one or three channels")
    for value in own.mean:
        _finite(value, "mean")
    for value in own.std:
        _positive(value, "std")
    grey = np.zeros((48, 64), dtype=np.uint8)
    return unaugmented_view(grey if own.color == "grey" else np.stack([grey] * 3, -1), own)


def _check_finite(tensors: dict[str, Any]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} has values that are not finite numbers (NaN or infinite)")
