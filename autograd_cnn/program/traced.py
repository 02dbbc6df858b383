"""Traced arrays: they compute as arrays do, and every operation on them is written down.

A traced array stands in a tensor for its array. Operators, methods and NumPy's functions on it go
to its recorder, so nothing that depends on it can go unseen: what cannot be written down raises.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np

from ..errors import ProgramError
from ..tape import caller_line

_PACKAGE = str(Path(__file__).parents[1])
_TENSOR = str(Path(_PACKAGE) / "tensor.py")

# NumPy functions whose result has a shape that depends on values
_DATA_DEPENDENT = {
    "nonzero", "flatnonzero", "argwhere", "unique", "unique_values", "unique_counts", "compress",
    "extract", "trim_zeros", "setdiff1d", "intersect1d", "union1d", "setxor1d",
}  # fmt: skip
_WRITING = {
    "copyto", "put", "put_along_axis", "place", "putmask", "fill_diagonal", "save", "savez",
    "savetxt", "array2string", "array_repr", "array_str",
}  # fmt: skip
_ARRAY_FUNCTIONS = {"asarray", "array", "ascontiguousarray", "asanyarray"}
METHODS = (
    "sum", "mean", "max", "min", "any", "all", "prod", "std", "var", "argmax", "argmin", "cumsum",
    "squeeze", "ravel", "flatten", "copy", "clip", "conj", "swapaxes", "take", "repeat", "diagonal",
    "trace", "round", "dot", "argsort",
)  # fmt: skip
# NumPy's ufuncs that a kernel does exactly
_KERNELS = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide",
    "true_divide": "divide", "negative": "negative", "exp": "exp", "log": "log", "sqrt": "sqrt",
    "tanh": "tanh", "square": "square", "sin": "sin", "cos": "cos",
}  # fmt: skip


class Seed:
    """A seed drawn while recording: a replay draws a fresh one, so this one cannot be looked at."""

    __slots__ = ("number", "slot")

    def __init__(self, slot: Any, number: int) -> None:
        self.slot, self.number = slot, number


class Traced:
    """An array with its place in a recording."""

    __slots__ = ("recorder", "slot", "value")
    __array_priority__ = 1000

    def __init__(self, recorder: Any, slot: Any, value: Any) -> None:
        self.recorder, self.slot, self.value = recorder, slot, value

    # what is known of it whatever its values

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    nbytes = property(lambda self: self.value.nbytes)
    itemsize = property(lambda self: self.value.itemsize)
    strides = property(lambda self: self.value.strides)

    @property
    def T(self) -> Traced:
        return self.transpose()

    @property
    def real(self) -> Any:
        return self._numpy("real", np.real, self) if self.dtype.kind == "c" else self

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self):
        return (self[place] for place in range(len(self)))

    # arithmetic

    def _kernel(self, name: str, *operands: Any, **attributes: Any) -> Any:
        return self.recorder.kernel(name, operands, attributes)

    def _numpy(self, name: str, function: Callable, *operands: Any, **attributes: Any) -> Any:
        return self.recorder.numpy(name, function, operands, attributes)

    def __add__(self, other: Any) -> Any:
        return self._kernel("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self._kernel("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self._kernel("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._kernel("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return self._kernel("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self._kernel("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self._kernel("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._kernel("divide", other, self)

    def __neg__(self) -> Any:
        return self._kernel("negative", self)

    def __pos__(self) -> Any:
        return self._numpy("positive", np.positive, self)

    # methods

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        if not copy and self.dtype == np.dtype(dtype):
            return self
        return self._kernel("astype", self, dtype=np.dtype(dtype))

    def reshape(self, *shape: Any) -> Any:
        wanted = shape[0] if len(shape) == 1 and not hasattr(shape[0], "__index__") else shape
        return self._kernel("reshape", self, shape=tuple(int(n) for n in wanted))

    def transpose(self, *axes: Any) -> Any:
        order = axes[0] if len(axes) == 1 and not hasattr(axes[0], "__index__") else axes
        order = tuple(order) if order else tuple(range(self.ndim))[::-1]
        return self._kernel("transpose", self, axes=tuple(axis % self.ndim for axis in order))

    def __getitem__(self, index: Any) -> Any:
        return self._kernel("getitem", self, index=index)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if options.get("out") is not None or method == "at":
            refuse(f"np.{ufunc.__name__} would write into an array")
        if method == "__call__" and not options and ufunc.__name__ in _KERNELS:
            return self._kernel(_KERNELS[ufunc.__name__], *inputs)
        if method == "__call__":
            return self._numpy(ufunc.__name__, ufunc, *inputs, **options)
        name = f"{ufunc.__name__}.{method}"
        return self._numpy(name, function_named(name), *inputs, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if name in ("shape", "ndim", "size") and len(args) == 1 and not kwargs:
            return getattr(args[0], name)
        if name in ("result_type", "can_cast", "iscomplexobj", "isrealobj", "may_share_memory"):
            return function(*plain(args), **plain(kwargs))
        if name in _DATA_DEPENDENT or (name == "where" and len(args) == 1):
            refuse(f"the shape of np.{name} depends on values")
        if name in _WRITING or kwargs.get("out") is not None:
            refuse(f"np.{name} would write into an array, or show it")
        return self._numpy(numpy_name(function), function, *args, **kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        refuse("the values of a traced tensor were asked for as a NumPy array")

    # its values: refused to the user, checked at every replay where the library asks

    def _value(self, name: str, convert: Callable) -> Any:
        asked_by = sys._getframe(2).f_code.co_filename
        if not asked_by.startswith(_PACKAGE) or asked_by == _TENSOR:
            refuse(f"{name} of a traced tensor asks for its values")
        return self.recorder.check(self, name, convert)

    def __bool__(self) -> bool:
        return self._value("bool(t)", bool)

    def __int__(self) -> int:
        return self._value("int(t)", int)

    def __float__(self) -> float:
        return self._value("float(t)", float)

    def __complex__(self) -> complex:
        return self._value("complex(t)", complex)

    def __index__(self) -> int:
        return self._value("an index", operator.index)

    def item(self) -> Any:
        return self._value("t.item()", lambda value: value.item())

    def _refused(name: str) -> Callable:  # type: ignore[misc]
        def method(self: Traced, *args: Any, **kwargs: Any) -> NoReturn:
            refuse(f"{name} of a traced tensor asks for its values, or would write to them")

        return method

    tolist, view, __repr__, __dlpack__ = map(_refused, ("tolist()", "numpy()", "print", "dlpack"))
    tobytes, nonzero, fill, sort, put = map(
        _refused, ("tobytes()", "nonzero()", "fill()", "sort()", "put()")
    )
    __setitem__ = _refused("t[…] = …")
    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = _refused("t += …")
    __hash__ = object.__hash__

    def __dlpack_device__(self) -> Any:
        return (1, 0)


def _operators() -> None:
    """Give Traced the operators and methods that no kernel stands for: they run as NumPy's own."""
    for name in METHODS:
        setattr(Traced, name, _method(name))
    names = ("pow", "matmul", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift")
    for name in names:
        function = getattr(operator, f"{name}_" if name in ("and", "or") else name)
        setattr(Traced, f"__{name}__", _binary(name, function, False))
        setattr(Traced, f"__r{name}__", _binary(name, function, True))
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        setattr(Traced, f"__{name}__", _binary(name, getattr(operator, name), False))
    for name in ("abs", "invert"):
        setattr(Traced, f"__{name}__", _unary(name, getattr(operator, name)))
    Traced.__hash__ = object.__hash__


def _method(name: str) -> Callable:
    def method(self: Traced, *args: Any, **kwargs: Any) -> Any:
        return self._numpy(f".{name}", function_named(f".{name}"), self, *args, **kwargs)

    return method


def _binary(name: str, function: Callable, reflected: bool) -> Callable:
    def method(self: Traced, other: Any) -> Any:
        operands = (other, self) if reflected else (self, other)
        return self._numpy(f"operator.{name}", function, *operands)

    return method


def _unary(name: str, function: Callable) -> Callable:
    return lambda self: self._numpy(f"operator.{name}", function, self)


class Namespace:
    """NumPy as library code sees it while recording: functions of traced arrays are written down.

    What is made from nothing (`zeros`, `arange`) stays an ordinary array, a constant.
    """

    def __init__(self, recorder: Any, module: ModuleType = np, prefix: str = "") -> None:
        self._recorder, self._module, self._prefix = recorder, module, prefix

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._module, name)
        if isinstance(member, ModuleType):
            return Namespace(self._recorder, member, f"{name}.")
        if not callable(member) or isinstance(member, type):
            return member

        def function(*args: Any, **kwargs: Any) -> Any:
            if not any(isinstance(leaf, (Traced, Seed)) for leaf in leaves((args, kwargs))):
                return member(*args, **kwargs)
            if name in _ARRAY_FUNCTIONS:
                return _as_array(name, *args, **kwargs)
            return member(*args, **kwargs)

        return function


def _as_array(name: str, data: Any, dtype: Any = None, copy: bool | None = None) -> Any:
    if not isinstance(data, Traced):
        refuse(f"np.{name} of a list of traced tensors; use ag.stack")
    if dtype is not None and data.dtype != np.dtype(dtype):
        return data.astype(dtype)
    if name == "ascontiguousarray":
        return data._numpy("ascontiguousarray", np.ascontiguousarray, data)
    return data.copy() if name == "array" and copy is not False else data


def refuse(what: str) -> NoReturn:
    """Raise ProgramError with the user's line."""
    raise ProgramError(
        f"{what}, at {caller_line()}: a recording holds for other values too, so what follows must "
        "not depend on them; return the tensor and look at it outside"
    )


def leaves(tree: Any):
    """The leaves of operands: tuples, lists and dictionaries are looked into."""
    if isinstance(tree, (tuple, list)):
        for item in tree:
            yield from leaves(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from leaves(item)
    else:
        yield tree


def replaced(function: Callable[[Any], Any], tree: Any) -> Any:
    """Operands with a function applied to each leaf."""
    if isinstance(tree, tuple):
        items = [replaced(function, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    if isinstance(tree, list):
        return [replaced(function, item) for item in tree]
    if isinstance(tree, dict):
        return {key: replaced(function, item) for key, item in tree.items()}
    return function(tree)


def plain(tree: Any) -> Any:
    """Operands with the arrays that traced ones stand for."""
    return replaced(_plain_leaf, tree)


def _plain_leaf(leaf: Any) -> Any:
    if isinstance(leaf, Traced):
        return leaf.value
    return leaf.number if isinstance(leaf, Seed) else leaf


@cache
def function_named(name: str) -> Callable:
    """The function that an array instruction names: `exp`, `linalg.inv`, `.sum`, `operator.pow`.

    Raises ProgramError for a name that NumPy does not have.
    """
    if name.startswith("."):
        return _method_caller(name[1:])
    found: Any = operator if name.startswith("operator.") else np
    for part in name.removeprefix("operator.").split("."):
        part = f"{part}_" if found is operator and part in ("and", "or") else part
        found = getattr(found, part, None)
        if found is None or part.startswith("_"):
            raise ProgramError(f"there is no array function named {name}")
    if not callable(found):
        raise ProgramError(f"{name} is not a function")
    return found


def _method_caller(name: str) -> Callable:
    if name not in METHODS:
        raise ProgramError(f"there is no array method named {name}")
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


def numpy_name(function: Callable) -> str:
    """A NumPy function's name below `numpy`, as in linalg.inv."""
    module = (getattr(function, "__module__", "") or "numpy").removeprefix("numpy").lstrip(".")
    return f"{module}.{function.__name__}" if module else function.__name__


_operators()
