"""NumPy's protocols: `np.exp(t)` and `np.sum(t)` on tensors are our operations, differentiated."""

from __future__ import annotations

import inspect
import sys
from typing import Any

_UFUNCS = {
    "true_divide": "divide", "absolute": "abs", "fabs": "abs", "float_power": "power",
}  # fmt: skip
_TRUTH = {
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan", "isinf",
    "isfinite", "logical_and", "logical_or", "logical_not",
}  # fmt: skip
_REDUCTIONS = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min"}
_FUNCTIONS = {"amax": "max", "amin": "min", "concat": "concatenate", "permute_dims": "transpose"}
# name → how many of the first positional arguments mean the same here as in NumPy
_SUPPORTED = {
    "sum": 2, "mean": 2, "var": 2, "std": 2, "max": 2, "min": 2, "argmax": 2, "reshape": 2,
    "transpose": 2, "moveaxis": 3, "swapaxes": 3, "flip": 2, "concatenate": 2, "stack": 2,
    "split": 3, "squeeze": 2, "expand_dims": 2, "broadcast_to": 2, "where": 3, "clip": 3,
    "matmul": 2, "einsum": 99, "take": 3, "take_along_axis": 3, "pad": 2,
    "prod": 2, "diagonal": 4, "trace": 4,
    "cumsum": 2, "cumprod": 2, "sort": 2, "argsort": 2, "tril": 2, "triu": 2, "outer": 2, "kron": 2,
    "norm": 4, "solve": 2, "inv": 1, "det": 1, "slogdet": 1, "cholesky": 1, "eigh": 1,
}  # fmt: skip
_KEYWORDS = {
    "clip": {"a_min": "low", "min": "low", "a_max": "high", "max": "high"},
    "pad": {"pad_width": "widths", "constant_values": "value"},
}


def from_ufunc(ufunc: Any, method: str, inputs: tuple, options: dict) -> Any:
    """What `__array_ufunc__` answers: the operation of the same name.

    Raises TypeError for one that has no derivative here, for `out=`, and for options that the
    operation does not have.
    """
    name = _UFUNCS.get(ufunc.__name__, ufunc.__name__)
    if options.pop("out", None) is not None:
        raise TypeError(
            f"np.{ufunc.__name__} with out= would write under the tape; leave out= away"
        )
    options = {key: value for key, value in options.items() if key == "axis" or value is not None}
    if method == "reduce" and name in _REDUCTIONS and set(options) <= {"axis", "keepdims"}:
        axis, keepdims = options.get("axis", 0), options.get("keepdims", False)
        return _operation(_REDUCTIONS[name])(inputs[0], axis, keepdims)
    if method == "__call__" and not options:
        if name in _TRUTH:
            return _operation("compare")(name, *inputs)
        operation = _operation(name)
        if operation is not None:
            return operation(*inputs)
    given = f" with {', '.join(options)}" if options else ""
    raise TypeError(
        f"np.{ufunc.__name__} ({method}){given} has no derivative here; "
        "call .numpy() to leave the tape"
    )


def from_numpy_function(function: Any, args: tuple, kwargs: dict) -> Any:
    """What `__array_function__` answers: the operation of the same name.

    Raises TypeError for one that has no derivative here, and for arguments that the operation does
    not have.
    """
    name = _FUNCTIONS.get(function.__name__, function.__name__)
    if kwargs.get("out") is not None:
        raise TypeError(f"np.{function.__name__} with out= would write under the tape")
    if name in ("shape", "ndim", "size") and len(args) == 1 and not kwargs:
        return getattr(args[0], name)
    if name not in _SUPPORTED:
        raise TypeError(
            f"np.{function.__name__} has no derivative here; call .numpy() to leave the tape"
        )
    operation = _operation(name)
    renamed = _KEYWORDS.get(name, {})
    kwargs = {
        renamed.get(key, key): value
        for key, value in kwargs.items()
        if not (key in ("out", "dtype") and value is None)
        and not (name == "pad" and key == "mode" and value == "constant")
    }
    signature = inspect.signature(operation)
    try:
        signature.bind(*args, **kwargs)
        fits = len(args) <= _SUPPORTED[name]
    except TypeError:
        fits = False
    if not fits:
        raise TypeError(
            f"np.{function.__name__} on tensors takes {', '.join(signature.parameters)}; call "
            ".numpy() to leave the tape"
        )
    return operation(*args, **kwargs)


def _operation(name: str) -> Any:
    return getattr(sys.modules[__package__], name, None)
