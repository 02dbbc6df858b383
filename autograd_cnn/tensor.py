"""Tensor: an array and its place on the tape.

A tensor is a value: it never changes under the tape. What looks like writing gives a new tensor
(`x.at[i].set(v)`), and `assign`, for parameters, never touches memory that anyone else still reads.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import DTypeError, ShapeError, TapeError, shape_text
from .kernels.devices import array_module, device_of, is_cupy, placed, to_device
from .operators import Operators, bound
from .tape import current

if TYPE_CHECKING:
    from .tape import Node

_new = object.__new__


def tensor(
    data: Any,
    requires_grad: bool = False,
    dtype: Any = None,
    device: str | None = None,
    name: str | None = None,
) -> Tensor:
    """A tensor with its own copy of `data` (numbers, nested lists, an array or a tensor).

    Python floats become float32 unless `dtype` says otherwise; arrays keep their dtype. `name` is
    how drawings and errors call it.

    >>> import autograd_cnn as ag
    >>> ag.tensor([[1.0, 2.0]], requires_grad=True)
    tensor([[1., 2.]], requires_grad=True)

    Raises DTypeError when `requires_grad` is asked of whole numbers, DeviceError for a device that
    is not there.
    """
    array = data._data if isinstance(data, Tensor) else data
    if not hasattr(array, "__array__") and not is_cupy(array):
        array = np.asarray(array)
        if dtype is None and array.dtype == np.float64:
            dtype = np.float32
    given = isinstance(data, Tensor) or is_cupy(array)  # it has a device already
    array = to_device(array, device) if device else array if given else placed(np.asarray(array))
    xp = array_module(device_of(array)[:4])
    return Tensor(xp.array(array, dtype=dtype, copy=True), requires_grad=requires_grad, name=name)


class Tensor(Operators):
    """An n-dimensional array whose operations are recorded.

    `Tensor(array)` shares the array's memory, which must not be written to afterwards;
    `ag.tensor(data)` copies.
    """

    __slots__ = ("__weakref__", "_data", "_node", "_tracked", "grad", "name")

    _data: Any
    grad: Tensor | None

    def __init__(self, data: Any, requires_grad: bool = False, name: str | None = None) -> None:
        if isinstance(data, Tensor):
            data = data._data
        self._data = data if is_cupy(data) else np.asarray(data)
        if self._data.dtype.kind not in "fiubc" and self._data.dtype.name != "bfloat16":
            raise DTypeError(f"a tensor holds numbers, not {self._data.dtype}")
        self._node: Node | None = None
        self._tracked = False
        self.grad = None
        self.name = name
        if requires_grad:
            self.requires_grad = True

    @staticmethod
    def _make(data: Any, node: Node | None) -> Tensor:
        """An operation's answer: no checks."""
        self = _new(Tensor)
        self._data = np.asarray(data) if isinstance(data, np.generic) else data
        self._node = node
        self._tracked = node is not None and node.requires_grad
        self.grad = self.name = None
        return self

    # what it is

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        return self._data.dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

    @property
    def nbytes(self) -> int:
        return self._data.nbytes

    @property
    def device(self) -> str:
        """Where the array lives: "cpu" or "cuda:N"."""
        return device_of(self._data)

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self._node is None or not self._node.parents

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through it; can be set on a leaf."""
        return self._tracked

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not self.is_leaf:
            raise TapeError(
                "requires_grad can be set on leaves only, and this tensor was made by "
                f"{self._node.name}; use .detach() for a leaf with its value"  # type: ignore[union-attr]
            )
        if value and self.dtype.kind not in "fc" and self.dtype.name != "bfloat16":
            raise DTypeError(
                f"only floating-point tensors have gradients, this one is {self.dtype}"
            )
        self._tracked, self._node = bool(value), None

    def requires_grad_(self, value: bool = True) -> Tensor:
        """Set `requires_grad` and return the tensor."""
        self.requires_grad = value
        return self

    # to and from arrays

    def numpy(self) -> np.ndarray:
        """The values as a read-only NumPy array (a view on the CPU, a copy from a GPU)."""
        view = to_device(self._data, "cpu")
        view = view.view() if view is self._data else view
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The one value of a tensor of size 1, as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item() needs one value, this tensor has {shape_text(self.shape)}")
        return self._data.item()

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers."""
        return self._data.tolist()

    def detach(self) -> Tensor:
        """The same values off the tape."""
        return Tensor._make(self._data, None)

    def assign(self, values: Any) -> None:
        """Give a leaf new values: for optimizers and for loading weights.

        The old memory is reused only when nobody else can read it; a tape, a view or an array from
        `numpy()` that still holds it keeps the old values. A checkpoint's second run assigns
        nothing: its first run did.
        """
        checkpoint = current().checkpoint
        if checkpoint is not None and checkpoint.again:
            return
        if not self.is_leaf:
            raise TapeError(f"assign() is for leaves, this tensor was made by {self._node.name}")  # type: ignore[union-attr]
        values = values._data if isinstance(values, Tensor) else values
        if np.shape(values) != self.shape:
            raise ShapeError(
                f"assign: the new values are {shape_text(np.shape(values))}, "
                f"the tensor is {shape_text(self.shape)}"
            )
        # 2 references when alone: this tensor's, and the argument of getrefcount
        alone = type(self._data) is np.ndarray and self._data.base is None
        if alone and sys.getrefcount(self._data) == 2 and self._data.flags.writeable:
            self._data[...] = values
        else:
            xp = array_module(self.device[:4])
            self._data = xp.array(to_device(xp.asarray(values), self.device), dtype=self.dtype)

    def to(self, target: Any) -> Tensor:
        """On another device ("cpu", "cuda", "cuda:N"), or with another dtype."""
        if isinstance(target, str) and target.split(":")[0] in ("cpu", "cuda"):
            moved = to_device(self._data, target)
            return self if moved is self._data else bound.operations.to_device(self, device=target)
        return bound.operations.astype(self, target)

    def astype(self, dtype: Any) -> Tensor:
        """With another dtype; differentiable between floating-point types."""
        return bound.operations.astype(self, dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if copy or (dtype is not None and dtype != array.dtype):
            return np.array(array, dtype=dtype, copy=True)
        return array

    def __dlpack__(self, **options: Any) -> Any:
        data = self._data if is_cupy(self._data) else np.array(self._data)
        return data.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._data.__dlpack_device__()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return bound.operations.from_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return bound.operations.from_numpy_function(function, args, kwargs)

    # going backward

    def backward(
        self, gradient: Any = None, create_graph: bool = False, retain_graph: bool = False
    ) -> None:
        """Add ∂self/∂leaf to the `.grad` of every leaf with `requires_grad`.

        `gradient` is what to start from (1 for a scalar). The values on the tape are freed on the
        way unless `retain_graph`; with `create_graph` the gradients are recorded themselves.
        """
        bound.backward(self, gradient, create_graph, retain_graph)

    # Python's protocols

    def __repr__(self) -> str:
        body = np.array2string(self.numpy(), separator=", ", prefix="tensor(")
        notes = [f"name={self.name!r}"] if self.name else []
        notes += (
            [f"dtype={self.dtype}"] if self.dtype not in (np.float32, np.int64, np.bool_) else []
        )
        notes += [f"device={self.device!r}"] if self.device != "cpu" else []
        if self._node is not None and self._node.parents:
            notes.append(f"from={self._node.name}")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join([body, *notes])})"

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a scalar tensor has no length")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self._data.__index__()

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def __deepcopy__(self, memo: dict) -> Tensor:
        if not self.is_leaf:
            raise TapeError("only leaves can be copied deeply; detach() first")
        copied = type(self).__new__(type(self))
        copied._data, copied._node, copied._tracked = self._data.copy(), None, self._tracked
        copied.grad, copied.name = None, self.name
        memo[id(self)] = copied
        return copied

    def __reduce__(self) -> Any:
        raise TypeError("tensors are not pickled; save weights with ag.save (safetensors)")
