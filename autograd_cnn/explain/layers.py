"""The outputs of a model's layers, read while it runs: nothing is attached to the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ShapeError
from ..inspection import as_variable, check_evaluating
from ..nn import Module
from ..tape import Node, Scope, current, enable_grad, no_grad, observe
from ..tensor import Tensor

Layer = Any  # str | Module | Tensor | (str or Module, number of the call)


class Layers:
    """An observer that keeps what every module of a model gave, in the order they were called.

    The output of a call is what its last operation made. Of a module that is called several times
    the first call is meant, or with a pair (layer, n) call n, −1 the last.
    """

    def __init__(self, model: Callable) -> None:
        self.model = model
        self._calls: dict[Scope, tuple[Any, Node | None]] = {}

    def forward(self, primitive: Any, inputs: Any, attributes: Any, ans: Any, node: Any) -> None:
        """Called after each operation: it is, so far, the last one of every call around it."""
        scope = current().scope
        while scope is not None:
            self._calls[scope] = (ans, node)
            scope = scope.parent

    def output(self, layer: Layer) -> Tensor:
        """What a layer gave: a tensor on the tape.

        Raises KeyError for a name that is not there, ValueError for a layer that did not run.
        """
        if isinstance(layer, Tensor):
            return layer
        module, call = found(self.model, layer)
        outputs = self.calls_of(module)
        if not -len(outputs) <= call < len(outputs):
            raise ValueError(
                f"{_title(layer)} ran {len(outputs)} times with an operation of its own, call "
                f"{call} was asked for; a layer that passes its input on (Identity, Dropout in "
                "evaluation) has no output of its own: name the layer before it"
            )
        return Tensor._make(*outputs[call])

    def modules(self) -> list[Module]:
        """The modules that ran, in the order in which their first call gave something."""
        ran = [scope.module() for scope in self._calls if scope.module is not None]
        return [module for module in dict.fromkeys(ran) if module is not None]

    def calls_of(self, module: Module) -> list[tuple[Any, Node | None]]:
        """What each call of a module gave."""
        return [
            kept
            for scope, kept in self._calls.items()
            if scope.module is not None and scope.module() is module
        ]


def activation(model: Callable, x: Any, layer: Layer, recorded: bool = False) -> Tensor:
    """What a layer makes of a batch; the model is not run further than that.

    So the layers after it need not fit an image of another size. With `recorded` the result is on
    the tape, down to x.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import explain, nn
    >>> model = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(7, 2)).eval()
    >>> explain.activation(model, ag.tensor([[-1.0, 2.0]]), "0").tolist()
    [[0.0, 2.0]]

    Raises KeyError for a name that is not there, ValueError for a layer that did not run or a model
    in training mode.
    """
    check_evaluating(model, "explain")
    module, call = found(model, layer)
    variable = x if isinstance(x, Tensor) and x.requires_grad else as_variable(x)
    watch = _Until(model, module, call)
    try:
        with observe(watch), enable_grad() if recorded else no_grad():
            model(variable)
    except _Reached:
        pass
    except ShapeError:
        if not watch.calls_of(module):
            raise
    output = watch.output(layer)
    return output if recorded else output.detach()


def last_maps(model: Callable, x: Any) -> tuple[str, Module]:
    """The last layer that gives maps N×K×H×W of several places, with its path: what CAMs look at.

    Pooling layers are passed over, for the finer maps before them.

    >>> import numpy as np
    >>> from autograd_cnn import explain, nn
    >>> net = nn.Sequential(conv=nn.Conv2d(1, 2, 3), pool=nn.MaxPool2d(2), flat=nn.Flatten()).eval()
    >>> explain.last_maps(net, np.zeros((1, 1, 6, 6), np.float32))[0]
    'conv'

    Raises ValueError where there is none.
    """
    check_evaluating(model, "explain")
    layers = Layers(model)
    with enable_grad(), observe(layers):
        model(as_variable(x))
    best: tuple[int, str, Module] | None = None
    for path, module in getattr(model, "named_modules", tuple)():
        for ans, node in layers.calls_of(module)[-1:]:
            if path and node is not None and ans.ndim == 4 and ans.shape[2] * ans.shape[3] > 1:
                later = best is None or node.sequence >= best[0]
                if later and "pool" not in node.name:
                    best = node.sequence, path, module
    if best is None:
        raise ValueError("no layer of this network gives maps N×K×H×W of several places")
    return best[1:]


def found(model: Callable, layer: Layer) -> tuple[Module, int]:
    """The module that a layer's name stands for, and the number of its call."""
    layer, call = layer if isinstance(layer, tuple) else (layer, 0)
    if isinstance(layer, Module):
        return layer, call
    if isinstance(layer, Tensor):
        raise ValueError(
            "a recorded tensor belongs to one forward pass: use "
            "record(model, x).gradient(layer=tensor)"
        )
    if not isinstance(model, Module):
        raise KeyError(f"the model is a function, so give the module itself, not {layer!r}")
    modules = dict(model._walk(""))
    if layer not in modules:
        names = [name for name in modules if name]
        raise KeyError(f"no layer {layer!r}; there are {', '.join(names)}")
    return modules[layer], call


class _Reached(Exception):
    """The layer has given its output: the rest of the model is not needed."""


class _Until(Layers):
    """Stops the model at the first operation after the layer's call."""

    def __init__(self, model: Callable, module: Module, call: int) -> None:
        super().__init__(model)
        self.module, self.call = module, call

    def forward(self, primitive: Any, inputs: Any, attributes: Any, ans: Any, node: Any) -> None:
        if self.call >= 0 and not self._inside() and len(self.calls_of(self.module)) > self.call:
            raise _Reached
        super().forward(primitive, inputs, attributes, ans, node)

    def _inside(self) -> bool:
        scope = current().scope
        while scope is not None:
            if scope.module is not None and scope.module() is self.module:
                return True
            scope = scope.parent
        return False


def _title(layer: Layer) -> str:
    layer = layer[0] if isinstance(layer, tuple) else layer
    return f"layer {layer!r}" if isinstance(layer, str) else f"the {type(layer).__name__}"
