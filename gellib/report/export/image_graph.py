"""The first half of an exported model: from an image of any size to the view of the backbone.

It follows Pillow to the bit. Pillow rounds the weights of its resampling to multiples of 2^-22, and
rounds to whole levels after each of the two passes, across and down. Products of such weights and
levels are multiples of 2^-22 below 2^31, so that matrix products of doubles are exact.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from gellib.models.backbones import Preprocessing
from gellib.models.backbones.preprocessing import STRETCH_PERCENTILES

OPSET, IR_VERSION = 18, 10
# How far Pillow's filters reach, in pixels of the smaller image.
_REACH = {"bilinear": 1.0, "bicubic": 2.0}
_UNIT = float(1 << 22)
_BILINEAR = Image.Resampling.BILINEAR
# Pillow's weights of red, green and blue in grey; every product with a level is exact in float32.
_GREY = np.array([19595, 38470, 7471], np.float32)


def image_graph(preprocessing: Preprocessing, view: str) -> onnx.ModelProto:
    """Build the graph from `image`, uint8 (height, width, 3), to the input called `view`.

    Its output is uint8 (1, channels, image_size, image_size), as `unaugmented_view` makes it.
    """
    ops = _Ops()
    pixels, channels = "image", 1 if preprocessing.color == "grey" else 3
    if channels == 1:
        summed = ops("ReduceSum", ops("Mul", _float(ops, pixels), _GREY), np.array([2]), keepdims=1)
        pixels = ops("Floor", ops("Div", ops("Add", summed, np.float32(32768)), np.float32(65536)))
        pixels = ops("Cast", pixels, to=TensorProto.UINT8)
    if preprocessing.contrast == "stretch":
        pixels = _stretch(ops, pixels)
    size = ops("Cast", ops("Shape", "image"), to=TensorProto.DOUBLE)
    height, width = (ops("Gather", size, np.array([axis])) for axis in (0, 1))
    side = ops("Mul", ops("Min", height, width), np.float64(preprocessing.image_size))
    side = ops("Div", side, np.float64(preprocessing.resize_size))
    planes = ops("Transpose", pixels, perm=[2, 0, 1])
    planes = ops("Cast", planes, to=TensorProto.DOUBLE)
    across = ops("Transpose", _weights(ops, width, side, preprocessing), perm=[1, 0])
    down = _weights(ops, height, side, preprocessing)
    resized = _two_passes(ops, planes, across, down, (height, width), preprocessing.image_size)
    ops("Unsqueeze", ops("Cast", resized, to=TensorProto.UINT8), np.array([0]), output=view)
    size_out = preprocessing.image_size
    graph = helper.make_graph(
        ops.nodes,
        "image_to_view",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3])],
        [helper.make_tensor_value_info(view, TensorProto.UINT8, [1, channels, size_out, size_out])],
        ops.constants,
    )
    imports = [helper.make_opsetid("", OPSET)]
    return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


def _stretch(ops: _Ops, pixels: str) -> str:
    """Scale the levels as `stretch_contrast` does."""
    flat = ops("Cast", ops("Reshape", pixels, np.array([-1])), to=TensorProto.INT64)
    ones = ops("Expand", np.array([1], np.int32), ops("Shape", flat))
    counts = ops("ScatterElements", np.zeros(256, np.int32), flat, ones, axis=0, reduction="add")
    below = ops("CumSum", counts, np.array(0))
    last = ops("Cast", ops("Sub", ops("Size", flat), np.int64(1)), to=TensorProto.DOUBLE)
    low, high = (_percentile(ops, below, last, percent) for percent in STRETCH_PERCENTILES)
    levels = np.arange(256, dtype=np.float64)
    span = ops("Max", ops("Sub", high, low), np.float64(1e-9))
    scaled = ops("Mul", ops("Sub", levels, low), ops("Div", np.float64(255), span))
    scaled = ops("Clip", ops("Add", scaled, np.float64(0.5)), np.float64(0), np.float64(255))
    # An image of one level stays as it is.
    table = ops("Where", ops("Greater", high, low), ops("Floor", scaled), levels)
    table = ops("Cast", table, to=TensorProto.UINT8)
    return ops("Gather", table, ops("Cast", pixels, to=TensorProto.INT64))


def _percentile(ops: _Ops, below: str, last: str, percent: float) -> str:
    """Interpolate a percentile from how many pixels are of each level or below it."""
    place = ops("Mul", last, np.float64(percent / 100))
    first = ops("Floor", place)
    values = []
    for rank in (first, ops("Min", ops("Add", first, np.float64(1)), last)):
        reached = ops("LessOrEqual", ops("Cast", below, to=TensorProto.DOUBLE), rank)
        reached = ops("Cast", reached, to=TensorProto.DOUBLE)
        values.append(ops("ReduceSum", reached, np.array([0]), keepdims=0))
    share = ops("Sub", place, first)
    return ops("Add", values[0], ops("Mul", ops("Sub", values[1], values[0]), share))


def _weights(ops: _Ops, length: str, side: str, preprocessing: Preprocessing) -> str:
    """Build the weights (image_size, length) of one pass over an axis, in units of 2^-22.

    The part of the axis that is kept is `side` long and in the middle, as `_resize_and_crop` says.
    """
    size, reach = preprocessing.image_size, _REACH[preprocessing.interpolation]
    start = ops("Div", ops("Sub", length, side), np.float64(2))
    end = ops("Add", start, side)
    # Pillow takes the part in single precision.
    start, end = (ops("Cast", one, to=TensorProto.FLOAT) for one in (start, end))
    extent = ops("Cast", ops("Sub", end, start), to=TensorProto.DOUBLE)
    start = ops("Cast", start, to=TensorProto.DOUBLE)
    scale = ops("Div", extent, np.float64(size))
    wide = ops("Max", scale, np.float64(1))
    middles = ops("Mul", np.arange(size)[:, None] + 0.5, scale)
    centres = ops("Add", start, middles)
    support = ops("Mul", wide, np.float64(reach))
    half = np.float64(0.5)
    first = ops("Floor", ops("Add", ops("Sub", centres, support), half))
    stop = ops("Floor", ops("Add", ops("Add", centres, support), half))
    columns = ops("Range", np.float64(0), ops("Squeeze", length), np.float64(1))
    away = ops("Abs", ops("Div", ops("Add", ops("Sub", columns, centres), half), wide))
    weights = _filter(ops, away, preprocessing.interpolation)
    inside = ops("And", ops("GreaterOrEqual", columns, first), ops("Less", columns, stop))
    weights = ops("Where", inside, weights, np.float64(0))
    weights = ops("Div", weights, ops("ReduceSum", weights, np.array([1]), keepdims=1))
    whole = ops("Floor", ops("Add", ops("Mul", ops("Abs", weights), np.float64(_UNIT)), half))
    return ops("Mul", ops("Sign", weights), whole)


def _filter(ops: _Ops, away: str, interpolation: str) -> str:
    """Evaluate Pillow's filter at distances; the bicubic one has the parameter -0.5."""
    if interpolation == "bilinear":
        return ops("Max", ops("Sub", np.float64(1), away), np.float64(0))
    near = _polynomial(ops, away, (1.5, -2.5, 0.0, 1.0))
    far = _polynomial(ops, away, (-0.5, 2.5, -4.0, 2.0))
    far = ops("Where", ops("Less", away, np.float64(2)), far, np.float64(0))
    return ops("Where", ops("Less", away, np.float64(1)), near, far)


def _polynomial(ops: _Ops, x: str, factors: tuple[float, ...]) -> str:
    found = ops("Add", ops("Mul", x, np.float64(factors[0])), np.float64(factors[1]))
    for factor in factors[2:]:
        found = ops("Add", ops("Mul", found, x), np.float64(factor))
    return found


def _two_passes(
    ops: _Ops, planes: str, across: str, down: str, shape: tuple[str, str], size: int
) -> str:
    """Apply both passes to planes (channels, height, width), in the order that Pillow takes."""

    def one_order(ops: _Ops, down_first: bool) -> str:
        if down_first:
            return _to_levels(
                ops, ops("MatMul", _to_levels(ops, ops("MatMul", down, planes)), across)
            )
        return _to_levels(ops, ops("MatMul", down, _to_levels(ops, ops("MatMul", planes, across))))

    if not takes_tall_images_down_first():
        return one_order(ops, False)
    height, width = shape
    own, twice = np.float64(size), ops("Mul", width, np.float64(2))
    tall = ops("Greater", height, ops("Max", ops("Sub", twice, own), own))
    branches = {}
    for name, down_first in (("then_branch", True), ("else_branch", False)):
        inner = _Ops(ops.constants, prefix=name)
        output = helper.make_tensor_value_info(
            one_order(inner, down_first), TensorProto.DOUBLE, None
        )
        branches[name] = helper.make_graph(inner.nodes, name, [], [output])
    return ops("If", ops("Squeeze", tall), **branches)


@cache
def takes_tall_images_down_first() -> bool:
    """Whether this Pillow resizes tall images down before across, as its newer versions do.

    These take that order for a height above both `size` and `2 * width - size`; measured on 4000
    pairs of sizes with Pillow 13.0.
    """
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 10), dtype=np.uint8))
    steps = image.resize((10, 8), _BILINEAR).resize((8, 8), _BILINEAR)
    return steps.tobytes() == image.resize((8, 8), _BILINEAR).tobytes()


def _to_levels(ops: _Ops, sums: str) -> str:
    """Round sums of levels, in units of 2^-22, to levels."""
    rounded = ops("Floor", ops("Div", ops("Add", sums, np.float64(_UNIT / 2)), np.float64(_UNIT)))
    return ops("Clip", rounded, np.float64(0), np.float64(255))


def _float(ops: _Ops, name: str) -> str:
    return ops("Cast", name, to=TensorProto.FLOAT)


class _Ops:
    """Collects the nodes of a graph: a call adds one and returns the name of its output."""

    def __init__(self, constants: list[onnx.TensorProto] | None = None, prefix: str = "") -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants = [] if constants is None else constants
        self.prefix = f"image_{prefix}"

    def __call__(self, kind: str, *inputs: Any, output: str = "", **attributes: Any) -> str:
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        output = output or f"{self.prefix}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def _constant(self, value: Any) -> str:
        name = f"image_constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name
