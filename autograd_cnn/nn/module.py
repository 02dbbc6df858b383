"""Module: a tree of named parameters and buffers, and a scope on the tape while it is called.

Parameters, buffers and submodules are ordinary attributes; the names of a `state_dict` are the
paths of attributes that lead to them, exactly as in PyTorch. No gradient code lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, TapeError, shape_text
from ..kernels.devices import is_cupy, placed, to_device
from ..tape import Scope, current, enter, leave
from ..tensor import Tensor


class Parameter(Tensor):
    """A leaf tensor that a module learns; assigned to a module, it takes the attribute's name.

    >>> from autograd_cnn import nn
    >>> nn.Parameter([1.0, 2.0]).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, name: str | None = None) -> None:
        if isinstance(data, (float, list, tuple)):
            data = np.asarray(data, np.float32)
        data = placed(data._data if isinstance(data, Tensor) else data)
        super().__init__(data, requires_grad=requires_grad, name=name)


class LoadResult(NamedTuple):
    """The keys that `load_state_dict` did not find, and those it did not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A layer or a network: attributes that are parameters, buffers or modules form a tree.

    Write `forward`; call the module itself.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter([2.0])
    ...     def forward(self, x):
    ...         return x * self.factor
    >>> Scale()(ag.tensor([1.0, 3.0])).numpy().tolist()
    [2.0, 6.0]
    >>> list(Scale().state_dict())
    ['factor']
    """

    training: bool = True
    _name: str = ""
    _buffer_names: Mapping[str, bool] = {}  # name → whether it is saved

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes."""
        raise NotImplementedError(f"{type(self).__name__} has no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` inside a scope of its own on the tape."""
        token = enter(Scope(self._name, type(self).__name__, current().scope, self))
        try:
            return self.forward(*args, **kwargs)
        finally:
            leave(token)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Module):
            object.__setattr__(value, "_name", name)
        elif isinstance(value, Parameter):
            value.name = value.name or name
        elif isinstance(vars(self).get(name), Parameter) and value is not None:
            raise TypeError(
                f"{type(self).__name__}.{name} is a parameter: assign an nn.Parameter or None, or "
                f"give it new values with .{name}.assign(values)"
            )
        object.__setattr__(self, name, value)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set an attribute that is moved, and if `persistent` saved, but not learned."""
        if hasattr(self, name) and name not in self._buffer_names:
            raise KeyError(f"{type(self).__name__} has an attribute {name} already")
        self._buffer_names = {**self._buffer_names, name: persistent}
        if tensor is not None:
            tensor._data = placed(tensor._data)
            tensor.name = tensor.name or name
        setattr(self, name, tensor)

    # the tree

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(attribute name, module), each module once, in the order they were set."""
        seen = set()
        for name, value in vars(self).items():
            if isinstance(value, Module) and value not in seen:
                seen.add(value)
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules that are attributes of this one."""
        return (module for _, module in self.named_children())

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """(path, module) for this module, whose path is "", and all below it, each once."""
        seen = set()
        for path, module in self._walk(prefix):
            if module not in seen:
                seen.add(module)
                yield path, module

    def modules(self) -> Iterator[Module]:
        """This module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter); one that hangs in several places appears once, under its first."""
        return _once((path, value) for path, value in self._named(_parameters_of))

    def parameters(self) -> Iterator[Parameter]:
        """Every parameter, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """(path, buffer), each once, those that are not saved too."""
        return _once((path, value) for path, value in self._named(_buffers_of))

    def buffers(self) -> Iterator[Tensor]:
        """Every buffer, each once."""
        return (buffer for _, buffer in self.named_buffers())

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call a function with each module, children first, and return this one."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # state

    def state_dict(self) -> dict[str, Tensor]:
        """Every parameter and saved buffer by path: a snapshot, which later training leaves alone.

        Copies nothing: `Tensor.assign` never writes to memory that anyone else still holds.
        """
        return {path: value.detach() for path, value in self._named(_saved_of)}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Take values by path from tensors, NumPy arrays or PyTorch's CPU tensors.

        Nothing is changed unless everything fits. Raises ValueError that lists missing and
        unexpected keys (unless `strict` is False), ShapeError that lists shapes that differ.
        """
        own = dict(self._named(_saved_of))
        missing = [key for key in own if key not in state]
        unexpected = [key for key in state if key not in own]
        problems = []
        if strict and missing:
            problems.append(f"missing keys: {', '.join(missing)}")
        if strict and unexpected:
            problems.append(f"unexpected keys: {', '.join(unexpected)}")
        values = {key: _array(state[key]) for key in own if key in state}
        misfits = [
            f"{key} is {shape_text(own[key].shape)} here, {shape_text(value.shape)} in the state"
            for key, value in values.items()
            if tuple(value.shape) != own[key].shape
        ]
        if problems or misfits:
            text = f"{type(self).__name__}: the state does not fit:\n  "
            kind = ValueError if problems else ShapeError
            raise kind(text + "\n  ".join(problems + misfits))
        for key, value in values.items():
            own[key].assign(to_device(value, own[key].device))
        return LoadResult(missing, unexpected)

    def train(self, mode: bool = True) -> Module:
        """Set training mode here and below: dropout drops, batch norm uses the batch."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Set evaluation mode here and below."""
        return self.train(False)

    def to(self, *targets: Any) -> Module:
        """Move parameters and buffers to a device ("cpu", "cuda", "cuda:N"), in place.

        A dtype instead changes the floating-point ones. Gradients are dropped.
        """
        for target in targets:
            for tensor in (*self.parameters(), *self.buffers()):
                _move(tensor, target)
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Set whether the parameters here and below are learned: False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    # printing

    def extra_repr(self) -> str:
        """The arguments that `repr` shows in the parentheses of a layer."""
        return ""

    def __repr__(self) -> str:
        # not named_children: a layer used twice is shown in both places
        children = [(n, v) for n, v in vars(self).items() if isinstance(v, Module)]
        lines = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in children]
        extra = self.extra_repr()
        if not lines:
            return f"{type(self).__name__}({extra})"
        body = "\n  ".join(([extra] if extra else []) + lines)
        return f"{type(self).__name__}(\n  {body}\n)"

    def _walk(self, path: str) -> Iterator[tuple[str, Module]]:
        """This module and those below, with repetitions, parents first."""
        yield path, self
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield from value._walk(f"{path}.{name}" if path else name)

    def _named(self, select: Callable[[Module], Iterator]) -> Iterator[tuple[str, Any]]:
        for path, module in self._walk(""):
            for name, value in select(module):
                yield (f"{path}.{name}" if path else name), value


def _parameters_of(module: Module) -> Iterator[tuple[str, Parameter]]:
    return ((n, v) for n, v in vars(module).items() if isinstance(v, Parameter))


def _buffers_of(module: Module) -> Iterator[tuple[str, Tensor]]:
    named = ((name, vars(module).get(name)) for name in module._buffer_names)
    return ((name, buffer) for name, buffer in named if buffer is not None)


def _saved_of(module: Module) -> Iterator[tuple[str, Tensor]]:
    yield from _parameters_of(module)
    yield from ((n, b) for n, b in _buffers_of(module) if module._buffer_names[n])


def _once(pairs: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    seen: set[int] = set()
    for path, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            yield path, value


def _array(value: Any) -> Any:
    """An array of any tensor: ours, NumPy's, or another library's on the CPU."""
    if isinstance(value, Tensor):
        return value._data
    return value if is_cupy(value) else np.asarray(value)


def _move(tensor: Tensor, target: Any) -> None:
    data = tensor._data
    if isinstance(target, str) and target.split(":")[0] in ("cpu", "cuda"):
        data = to_device(data, target)
    elif data.dtype.kind == "f" or data.dtype.name == "bfloat16":
        data = data.astype(target, copy=False)
    if data is not tensor._data:
        tensor._data, tensor._node, tensor.grad = data, None, None


@contextmanager
def parameters_replaced(module: Module, values: Mapping[str, Any]) -> Iterator[None]:
    """Let tensors stand in for parameters or buffers, by path, inside the block.

    For gradients with respect to parameters as a function's argument.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> def output(weight):
    ...     with nn.parameters_replaced(layer, {"weight": weight}):
    ...         return layer(ag.tensor([[3.0, 4.0]])).sum()
    >>> ag.grad(output)(ag.tensor([[1.0, 1.0]])).numpy().tolist()
    [[3.0, 4.0]]

    Raises KeyError for a path that does not exist, TapeError for one that is not a tensor's.
    """
    modules = dict(module._walk(""))
    places = []
    for path, value in values.items():
        parent, _, name = path.rpartition(".")
        if parent not in modules or name not in vars(modules[parent]):
            raise KeyError(f"{type(module).__name__} has no parameter {path}")
        if not isinstance(getattr(modules[parent], name), Tensor):
            raise TapeError(f"{path} is not a parameter or buffer")
        places.append((vars(modules[parent]), name, value))
    saved = [(attributes, name, attributes[name]) for attributes, name, _ in places]
    try:
        for attributes, name, value in places:
            attributes[name] = value
        yield
    finally:
        for attributes, name, value in saved:
            attributes[name] = value
