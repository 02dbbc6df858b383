"""NumPy's protocols: `np.exp(t)` and `np.sum(t)` on tensors are our operations, and differentiated."""

from __future__ import annotations

import sys
from typing import Any

_UFUNCS = {
    "true_divide": "divide", "absolute": "abs", "fabs": "abs", "float_power": "power",
}  # fmt: skip
_COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
_REDUCTIONS = {"add": "sum", "maximum": "max", "minimum": "min"}
_FUNCTIONS = {"amax": "max", "amin": "min", "concat": "concatenate", "permute_dims": "transpose"}
_SUPPORTED = {
    "sum", "mean", "var", "std", "max", "min", "argmax", "reshape", "transpose", "moveaxis",
    "swapaxes", "flip", "concatenate", "stack", "split", "squeeze", "expand_dims", "broadcast_to",
    "where", "clip", "matmul", "einsum", "take", "take_along_axis", "pad",
}  # fmt: skip


def from_ufunc(ufunc: Any, method: str, inputs: tuple, options: dict) -> Any:
    """What `__array_ufunc__` answers: the operation of the same name.

    Raises TypeError for one that has no derivative here, or for `out=`.
    """
    name = _UFUNCS.get(ufunc.__name__, ufunc.__name__)
    if options.pop("out", None) is not None:
        raise TypeError(f"np.{ufunc.__name__} with out= would write under the tape; leave out= away")
    if method == "reduce" and name in _REDUCTIONS:
        axis, keepdims = options.get("axis", 0), options.get("keepdims", False)
        return _operation(_REDUCTIONS[name])(inputs[0], axis, keepdims)
    if method == "__call__" and not options:
        if name in _COMPARISONS:
            return _operation("compare")(name, *inputs)
        operation = _operation(name)
        if operation is not None:
            return operation(*inputs)
    raise TypeError(
        f"np.{ufunc.__name__} ({method}) has no derivative here; call .numpy() to leave the tape"
    )


def from_numpy_function(function: Any, args: tuple, kwargs: dict) -> Any:
    """What `__array_function__` answers: the operation of the same name.

    Raises TypeError for one that has no derivative here.
    """
    name = _FUNCTIONS.get(function.__name__, function.__name__)
    if kwargs.get("out") is not None:
        raise TypeError(f"np.{function.__name__} with out= would write under the tape")
    kwargs = {key: value for key, value in kwargs.items() if key != "out"}
    if name in ("shape", "ndim", "size"):
        return getattr(args[0], name)
    if name not in _SUPPORTED:
        raise TypeError(
            f"np.{function.__name__} has no derivative here; call .numpy() to leave the tape"
        )
    return _operation(name)(*args, **kwargs)


def _operation(name: str) -> Any:
    return getattr(sys.modules[__package__], name, None)
