"""What ONNX's function bodies need besides: constants, ranges and casts.

Only bodies are run with these. Their own cases are about number formats, not about derivatives.
"""

import numpy as np
import onnx

import autograd_cnn as ag


def constant(**attributes):
    ((name, value),) = attributes.items()
    if name == "value":
        return onnx.numpy_helper.to_array(value)
    return np.array(value, np.float32 if name.startswith("value_float") else np.int64)


def constant_of_shape(shape, *, value=None):
    fill = np.float32(0) if value is None else onnx.numpy_helper.to_array(value)[0]
    return np.full(tuple(shape.tolist()), fill)


def cast(x, *, to, **saturation_and_rounding):
    return ag.astype(x, onnx.helper.tensor_dtype_to_np_dtype(to))


BODIES = {
    "Cast": cast,
    "CastLike": lambda x, like, **saturation_and_rounding: ag.astype(x, like.dtype),
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Range": lambda start, stop, step: np.arange(start.item(), stop.item(), step.item()),
}
