"""The recorder: a provider of kernels that runs another one, and writes down what it ran.

Operations never know: they ask for the kernels of their arrays and get the recorder, as they would
get CuPy's. Tensors from outside are read through it, and what is done to them is written down.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import kernels
from ..errors import ProgramError
from ..kernels.devices import is_cupy
from ..primitive import TABLE, Primitive
from ..tape import _caller, current
from ..tensor import Tensor
from . import instrument
from .listing import Instruction, Slot, Type, type_of
from .traced import Namespace, Seed, Traced, leaves, plain, refuse, replaced


class Recorder:
    """Instructions in the order they ran, with the values that they gave this time."""

    def __init__(self) -> None:
        below = kernels.provider_for([])
        self.below = below._recorder.below if isinstance(below, RecordingKernels) else below
        self.kernels = RecordingKernels(self)
        self.instructions: list[Instruction] = []
        self.types: dict[Slot, Type] = {}
        self.strides: dict[Slot, Any] = {}
        self.constants: dict[Slot, Any] = {}
        self._constant_slots: dict[int, Slot] = {}
        self._applying: tuple[Primitive, bool] | None = None
        self._proxies: dict[Primitive, Primitive] = {}

    # slots

    def traced(self, value: Any) -> Traced:
        """A new slot that holds a value."""
        slot = Slot(len(self.types))
        self.types[slot] = type_of(value)
        self.strides[slot] = getattr(value, "strides", None)
        return Traced(self, slot, value)

    def constant(self, array: Any) -> Traced:
        """An array that is the same at each run."""
        if is_cupy(array):
            raise ProgramError("a recording takes arrays on the CPU; this one is on a GPU")
        slot = self._constant_slots.get(id(array))
        if slot is not None:
            return Traced(self, slot, array)
        traced = self.traced(array)
        self._constant_slots[id(array)] = traced.slot
        self.constants[traced.slot] = array
        return traced

    def symbols(self, tree: Any) -> Any:
        """Operands with slots in place of arrays."""

        def symbol(leaf: Any) -> Any:
            if isinstance(leaf, (Traced, Seed)):
                if isinstance(leaf, Traced) and leaf.recorder is not self:
                    refuse("a tensor of another recording was used")
                return leaf.slot
            if isinstance(leaf, Tensor):
                return symbol(leaf._data)
            if isinstance(leaf, np.ndarray) or is_cupy(leaf):
                return self.constant(leaf).slot
            return leaf

        return replaced(symbol, tree)

    # what is recorded

    def kernel(self, name: str, operands: tuple, attributes: dict[str, Any]) -> Any:
        """Run and record one kernel."""
        return self._call("kernel", name, getattr(self.below, name), operands, attributes)

    def numpy(self, name: str, function: Callable, operands: tuple, attributes: dict) -> Any:
        """Run and record one function of NumPy."""
        return self._call("numpy", name, function, operands, attributes)

    def apply(self, primitive: Primitive, inputs: tuple, attributes: dict[str, Any]) -> Any:
        """A primitive's application: its one kernel call is recorded under the primitive's name."""
        if kernels._cpu.get() is not self.kernels or current().observers:
            refuse("ag.kernels.use or ag.observe inside a recorded function; put it around")
        lifted = any(isinstance(value, Tensor) for value in inputs)
        outer, self._applying = self._applying, (primitive, lifted)
        try:
            return instrument.APPLY(self._through_here(primitive), inputs, attributes)
        finally:
            self._applying = outer

    def _through_here(self, primitive: Primitive) -> Primitive:
        """A primitive whose own function is called through the recorder too."""
        if primitive.function is None:
            return primitive
        if primitive not in self._proxies:
            proxy, function = copy.copy(primitive), primitive.function
            proxy.function = lambda *operands, **attributes: self._call(
                "primitive", primitive.name, function, operands, attributes
            )
            self._proxies[primitive] = proxy
        return self._proxies[primitive]

    def _call(self, kind: str, name: str, function: Callable, operands: Any, attributes: Any):
        applying, self._applying = self._applying, None
        found = any(isinstance(leaf, (Traced, Seed)) for leaf in leaves((operands, attributes)))
        for leaf in leaves(attributes.get("index", ())):
            if (
                isinstance(leaf, Traced)
                and leaf.dtype.kind == "b"
                and leaf.slot not in self.constants
            ):
                refuse("the shape of x[mask] depends on the values of the mask; use ag.where")
        concrete, settings = plain(operands), plain(attributes)
        with instrument.Paused(self):
            result = function(*concrete, **settings)
        if not found:
            return result
        lifted = False
        step = Instruction(kind, name, self.symbols(operands), self.symbols(attributes))
        if applying is not None:
            step.kind, step.name, lifted = "primitive", applying[0].name, applying[1]
            step.target = applying[0]
        step.lifted, step.place = (
            lifted and isinstance(result, np.generic),
            _caller(sys._getframe(1)),
        )
        self.instructions.append(step)
        several = isinstance(result, (tuple, list))
        answers = tuple(
            self._answer(value, step.lifted) for value in (result if several else [result])
        )
        step.outputs = tuple(answer.slot for answer in answers)
        if not hasattr(result, "shape") and not several:
            return self.check(answers[0], name, lambda value: value)
        return answers if several else answers[0]

    def _answer(self, value: Any, lifted: bool) -> Traced:
        if isinstance(value, np.generic) and lifted:
            value = np.asarray(value)
        if not hasattr(value, "shape"):  # a kernel that answers with a Python number
            slot = Slot(len(self.types))
            self.types[slot] = Type((), type(value).__name__)
            return Traced(self, slot, value)
        return self.traced(value)

    def check(self, traced: Traced, name: str, convert: Callable) -> Any:
        """A value the library asked for: a run with another one must not go on."""
        value = convert(traced.value)
        conversion = {"bool(t)": "bool", "int(t)": "int", "float(t)": "float"}.get(name, "value")
        self.instructions.append(
            Instruction("check", conversion, (traced.slot, value), place=_caller(sys._getframe(1)))
        )
        return value

    def draw(self, rng: Any) -> Any:
        """A random seed: a number is itself, anything else is asked anew at each run."""
        if hasattr(rng, "__index__"):
            return int(rng)
        slot = Slot(len(self.types))
        self.types[slot] = Type((), "seed")
        self.instructions.append(
            Instruction(
                "seed", "draw_seed", outputs=(slot,), place=_caller(sys._getframe(1)), target=rng
            )
        )
        with instrument.Paused(self):
            return Seed(slot, instrument.DRAW(rng))

    # tensors that were there before; a compiled function follows them, a plain trace does not

    def read(self, tensor: Tensor, array: Any) -> Any:
        """What a tensor from outside holds: here a constant, as it is now."""
        return self.constant(array)

    def write(self, tensor: Tensor, value: Any) -> None:
        """New values for a tensor from outside."""
        refuse(f"{tensor.name or 'a tensor from outside'} is given new values")

    def read_grad(self, tensor: Tensor) -> Any:
        """The gradient that a tensor from outside holds."""
        refuse("the .grad of a tensor from outside is read")

    def write_grad(self, tensor: Tensor, value: Any) -> None:
        """A new gradient for a tensor from outside."""
        refuse("the .grad of a tensor from outside is set; use ag.grad, or ag.compile")

    def step(self, optimizer: Any, parameter: Tensor, group: dict[str, Any]) -> None:
        """An optimizer's update of one parameter."""
        refuse("an optimizer changes parameters; use ag.compile")


class RecordingKernels:
    """What operations get for their kernels while a recorder is at work."""

    name = "recorder"

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self.xp = recorder, Namespace(recorder)

    def __getattr__(self, name: str) -> Any:
        kernel = getattr(self._recorder.below, name)
        if not callable(kernel):
            return kernel
        call = self._recorder._call
        return lambda *operands, **attributes: call("kernel", name, kernel, operands, attributes)


def known_primitive(name: str) -> Primitive:
    """The primitive of the table called `name`; ProgramError for one that is not there."""
    if name not in TABLE:
        raise ProgramError(f"{name} is no primitive of the table; register it before loading")
    return TABLE[name]
