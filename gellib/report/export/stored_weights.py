"""The weights of an ONNX model in fewer bits than they are computed with."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SMALL = 1024  # numbers of a tensor that is left as it is
_LARGEST_HALF = 65504
_LARGEST_WHOLE = {"int8": (np.int8, 127), "int16": (np.int16, 32767)}
# A channel of so few weights, as of a depthwise convolution, does not average their errors out.
_FEW = 64


def shrink(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """Store large weights in half precision, or as whole numbers with a scale per output channel.

    `int16` leaves what is small as it is: it takes about as much room as `fp16`, and is some eight
    times as exact. Each is converted back by the first operation behind it, which is done once, as
    the model is loaded: it computes in single precision.
    """
    if precision == "fp32":
        return model
    casts = []
    for tensor in list(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) < _SMALL:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        if precision == "int16" and values[0].size < _FEW:
            continue
        if precision == "fp16" or values.ndim < 2:
            stored = values.clip(-_LARGEST_HALF, _LARGEST_HALF).astype(np.float16)
            casts.append(helper.make_node("Cast", [f"{name}_small"], [name], to=TensorProto.FLOAT))
        else:
            rest = tuple(range(1, values.ndim))
            kind, largest = _LARGEST_WHOLE[precision]
            scale = np.abs(values).max(axis=rest, keepdims=True) / largest
            scale = np.where(scale == 0, 1, scale).astype(np.float32)
            stored = np.rint(values / scale).clip(-largest, largest).astype(kind)
            model.graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
            casts += [
                helper.make_node(
                    "Cast", [f"{name}_small"], [f"{name}_whole"], to=TensorProto.FLOAT
                ),
                helper.make_node("Mul", [f"{name}_whole", f"{name}_scale"], [name]),
            ]
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(numpy_helper.from_array(stored, f"{name}_small"))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
