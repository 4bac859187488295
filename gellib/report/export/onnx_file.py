"""A finished run as an ONNX file: preparation of the image and model in one graph."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gellib.base.files import atomic_path
from gellib.base.paths import expand_user
from gellib.report.export.outcome import Exported, refuse_if_wrong
from gellib.report.trackers import ExportError
from gellib.training_run.find_runs import find_best_run

if TYPE_CHECKING:
    import onnx

    from gellib.report.export.view_model import ViewModel
    from gellib.training_run.predictor import Predictor

PRECISIONS = ("fp32", "int16", "fp16", "int8")
_MOST_BYTES = 1.9e9
_INSTALL = "pip install 'gellib[export]'"
# Not `view`: the exporter names nodes so.
INPUT = "view_pixels"


def export_onnx(folder: str | Path, out: str | Path, precision: str = "fp32") -> Exported:
    """Write the model of a run as ONNX, and compare it with `gellib predict`.

    The input `image` is uint8 (height, width, 3): red, green and blue of an image as `read_image`
    reads it. The outputs are those of `ViewModel`; the metadata have classes and preparation.

    Parameters
    ----------
    folder
        Folder of a finished run; of a folder of runs, the best is taken.
    out
        The file to write.
    precision
        `fp32`; `int16`, `fp16` and `int8` store the weights so, and compute in single precision.

    Raises
    ------
    ExportError
        When a package is missing, the network cannot be written as ONNX, or the file's
        probabilities are not finite, or differ by more than 1e-4 in `fp32`.
    PredictorError
        When there is no finished run.
    """
    from gellib.report.export.description import add_description

    predictor = open_predictor(folder, precision)
    built = build_model(predictor, precision)
    add_description(built.whole, predictor, precision)
    result = Exported.measure(expand_user(out), predictor, built)
    refuse_if_wrong(result, precision)
    with atomic_path(result.file) as partial:
        partial.write_bytes(built.whole.SerializeToString())
    return result


def open_predictor(folder: str | Path, precision: str) -> Predictor:
    """Open the run that is exported; it then computes in fp32 on the CPU, as the export does.

    Raises
    ------
    ExportError
        When `precision` is unknown, or a package is missing.
    """
    if precision not in PRECISIONS:
        raise ExportError(f"--precision: got {precision!r}, expected {', '.join(PRECISIONS)}")
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as err:
        raise ExportError(f"{err.name or err} is not installed: {_INSTALL}") from err
    from gellib.models.compute import Compute
    from gellib.training_run.predictor import Predictor

    run = find_best_run(folder)
    predictor = Predictor(run)
    cpu = Compute(precision="fp32")
    predictor.compute = cpu
    predictor.head.to(cpu.device)
    return predictor


@dataclass(frozen=True)
class Built:
    """A model as ONNX: `whole` from an image, `second` from a view that is called `INPUT`."""

    view: ViewModel
    second: onnx.ModelProto
    whole: onnx.ModelProto


def build_model(predictor: Predictor, precision: str) -> Built:
    """Build the model of a run as ONNX, with its weights in a precision.

    Raises
    ------
    ExportError
        As `build_view_model`.
    """
    import onnx

    from gellib.report.export.image_graph import image_graph
    from gellib.report.export.stored_weights import shrink

    view, second = build_view_model(predictor)
    second = shrink(second, precision)
    first = image_graph(predictor.backbone.preprocessing, INPUT)
    whole = onnx.compose.merge_models(first, second, io_map=[(INPUT, INPUT)])
    return Built(view, second, whole)


def build_view_model(predictor: Predictor) -> tuple[ViewModel, onnx.ModelProto]:
    """Build the model from a view to the answers, and write it as ONNX, in fp32.

    Where ONNX has no operation for the gradients of its heat map, it has no heat map.

    Raises
    ------
    ExportError
        When the network has an operation that ONNX has not, or is too large for one file.
    """
    from gellib.report.export.view_model import ViewModel

    name, parameters = predictor.backbone.name, list(predictor.backbone.parameters())
    if 4 * sum(p.numel() for p in parameters) > _MOST_BYTES:
        raise ExportError(f"{name} cannot be written as ONNX: a file holds 2 GB of weights at most")
    model = ViewModel(predictor.model)
    try:
        return model, _to_onnx(model)
    except Exception as err:  # whatever the exporter ends in
        reason = " ".join(str(err.__cause__ or err).split())[:200]
    plain = ViewModel(predictor.model, heat_map=False)
    try:
        return plain, _to_onnx(plain)
    except Exception as err:
        raise ExportError(
            f"{name} cannot be written as ONNX: {reason}. Export a run of another network, such "
            "as resnet18, mobilenet-v3, efficientnet-lite0 or vgg16."
        ) from err


def _to_onnx(model: ViewModel) -> onnx.ModelProto:
    import torch

    from gellib.report.export.image_graph import IR_VERSION, OPSET

    with _quiet():
        program: Any = torch.onnx.export(
            model.traced(),
            (model.example,),
            input_names=[INPUT],
            output_names=model.outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    program.model_proto.ir_version = IR_VERSION
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter from telling of its steps."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
