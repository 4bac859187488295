"""Whether an exported model predicts as its run does."""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from PIL import Image

from gellib.base.paths import find_path
from gellib.data.image_files import BadImageError
from gellib.data.images import read_image
from gellib.training_run.predictor import ImageSource, Predictor

_MOST = 24
_GENERATED = 8


class Agreement(NamedTuple):
    """How far an ONNX model agrees with its run; the fields are explained in `Exported`."""

    difference: float
    same: int
    compared: int
    own: bool
    same_sets: int | None
    same_unlike: int | None


def compare_export(model: bytes, predictor: Predictor) -> Agreement:
    """Predict the same images with an ONNX model and with its run."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    sources: list[ImageSource] = list(own_images(predictor))
    own = bool(sources)
    sources = sources or list(_generated())
    differences: list[float] = []
    same: dict[str, list[bool]] = {"labels": [], "set": [], "unlike": []}
    for source, expected in zip(sources, predictor.predict(sources), strict=True):
        if expected.error:
            continue
        answers = ask(session, source, predictor)
        wanted = np.array([expected.probabilities[name] for name in predictor.classes])
        differences.append(float(np.abs(answers["probabilities"] - wanted).max()))
        for name, right in (("labels", expected.labels), ("set", expected.members)):
            if name in answers:
                chosen = zip(predictor.classes, answers[name], strict=True)
                same[name].append(tuple(label for label, on in chosen if on) == right)
        if "unlike" in answers:
            unlike = answers["unlike"] > 1
            place = wanted.argmax() if predictor.task.exclusive else 0
            found = (bool(unlike[place]), bool(unlike.all()))
            same["unlike"].append(found == (expected.ood, expected.unlike_all))
    # np.max, unlike max, does not hide a NaN.
    difference = float(np.max(differences)) if differences else np.inf
    labels, sets, likeness = (sum(found) if found else None for found in same.values())
    return Agreement(difference, labels or 0, len(differences), own, sets, likeness)


def ask(
    session: onnxruntime.InferenceSession, source: ImageSource, predictor: Predictor
) -> dict[str, np.ndarray]:
    """Give an ONNX model one image, and return its outputs by name."""
    content = source[1] if isinstance(source, tuple) else source
    pixels = read_image(content, color="rgb", limits=predictor.limits)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": pixels}), strict=True))


def own_images(predictor: Predictor) -> list[Path]:
    """Choose images of the run that are still there, of each class in turn."""
    try:
        table = predictor.run.read_predictions()
    except (OSError, ValueError):
        return []
    root = find_path(predictor.record.config["dataset_dir"])
    turn = table.groupby("label").cumcount().to_numpy()
    found = []
    for file in table["file"].to_numpy()[np.argsort(turn, kind="stable")]:
        path = root / str(file)
        if path.is_file() and _readable(path):
            found.append(path)
        if len(found) == _MOST:
            break
    return found


def _readable(path: Path) -> bool:
    try:
        read_image(path)
    except BadImageError:
        return False
    return True


def _generated() -> list[tuple[str, bytes]]:
    """Make images of blobs and noise, tall, wide and small."""

    rng = np.random.default_rng(0)
    made = []
    for number in range(_GENERATED):
        coarse = Image.fromarray(rng.integers(0, 255, (4 + number, 9, 3), dtype=np.uint8))
        image = coarse.resize(tuple(rng.integers(60, 500, 2).tolist()), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        made.append((f"generated {number}", buffer.getvalue()))
    return made
