"""The recorder of a compiled function: it follows tensors from outside, and what is done to them.

A recording run is a true run: its effects are real. What it writes down beside the arithmetic are
reads of tensors that were there before, new values, new gradients and optimizer steps, in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels.devices import is_cupy
from ..tensor import Tensor
from . import instrument
from .guards import Watch
from .listing import Instruction, Slot
from .recorder import Recorder
from .traced import Traced, refuse


class Follower(Recorder):
    """`sources` maps the arguments' tensors to their places, `reads` holds what must stay alike."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch
        self.sources: dict[int, int] = {}
        self.inputs: set[Slot] = set()
        self.reads: dict[int, tuple[Tensor, tuple]] = {}
        self.gradients: dict[int, tuple[Tensor, Any]] = {}
        self.optimizers: dict[int, Any] = {}
        self.generators: dict[int, Any] = {}
        self._values: dict[int, Traced] = {}
        self._grads: dict[int, Any] = {}

    def argument(self, tensor: Tensor, place: int) -> None:
        """Note that a tensor is an argument, looked up at each call."""
        self.sources.setdefault(id(tensor), place)
        self.reads.setdefault(id(tensor), (tensor, facts(tensor)))

    def raw_argument(self, array: Any, place: int) -> Traced:
        """A slot for an argument that is an array."""
        traced = self.traced(array)
        self.inputs.add(traced.slot)
        return traced

    def read(self, tensor: Tensor, array: Any) -> Traced:
        known = self._values.get(id(tensor))
        if known is not None:
            return known
        if is_cupy(array):
            refuse("a recording takes tensors on the CPU; one on a GPU is used")
        self._require(tensor)
        if tensor._tracked and tensor._node is not None and tensor._node.parents:
            refuse(f"{tensor.name or 'a tensor'} is on a tape outside; give detach() of it")
        self.reads.setdefault(id(tensor), (tensor, facts(tensor)))
        traced = self._values[id(tensor)] = self.traced(array)
        self.instructions.append(
            Instruction("read", "value", (), {}, (traced.slot,), target=tensor)
        )
        return traced

    def write(self, tensor: Tensor, value: Any) -> None:
        self._require(tensor)
        traced = value if isinstance(value, Traced) else self.constant(np.array(value))
        array = instrument.DATA.__get__(tensor)
        self.reads.setdefault(id(tensor), (tensor, facts(tensor)))
        if traced.shape != array.shape or traced.dtype != array.dtype:
            refuse(f"{tensor.name or 'a tensor'} is moved to another shape or dtype")
        if not isinstance(value, Traced):
            traced = traced.copy()
        self.instructions.append(Instruction("assign", "assign", (traced.slot,), target=tensor))
        instrument.DATA.__set__(tensor, np.array(traced.value))
        self._values[id(tensor)] = traced

    def read_grad(self, tensor: Tensor) -> Any:
        if id(tensor) in self._grads:
            return self._grads[id(tensor)]
        self._require(tensor)
        held = instrument.GRAD.__get__(tensor)
        self.gradients.setdefault(id(tensor), (tensor, gradient_facts(tensor)))
        answer = None
        if held is not None:
            if held._tracked:
                refuse("the .grad of a tensor is on a tape outside (create_graph)")
            traced = self.traced(instrument.DATA.__get__(held))
            self.instructions.append(
                Instruction("read", "grad", (), {}, (traced.slot,), target=tensor)
            )
            answer = Tensor._make(traced, None)
        self._grads[id(tensor)] = answer
        return answer

    def write_grad(self, tensor: Tensor, value: Any) -> None:
        self._require(tensor)
        if value is not None and value._tracked:
            refuse("a gradient with a tape behind it (create_graph) is left in .grad")
        slot = None if value is None else value._data.slot
        self.instructions.append(Instruction("grad", "grad", (slot,), target=tensor))
        with instrument.Paused(self):
            real = None if value is None else Tensor._make(np.asarray(value._data.value), None)
        instrument.GRAD.__set__(tensor, real)
        if real is not None:
            instrument.DATA.__set__(real, np.asarray(value._data.value))
        self._grads[id(tensor)] = value

    def step(self, optimizer: Any, parameter: Tensor, group: dict[str, Any]) -> None:
        self.watch.require_known(optimizer, "an optimizer")
        self._require(parameter)
        if parameter._tracked and parameter._node is not None and parameter._node.parents:
            refuse("an optimizer changes a tensor that is on a tape")
        self.reads.setdefault(id(parameter), (parameter, facts(parameter)))
        self.optimizers[id(optimizer)] = optimizer
        self.instructions.append(Instruction("step", "step", target=(optimizer, parameter, group)))
        with instrument.Paused(self):
            instrument.STEP(optimizer, parameter, group)
        self._values.pop(id(parameter), None)

    def draw(self, rng: Any) -> Any:
        if rng is not None and not hasattr(rng, "__index__"):
            self.watch.require_known(rng, "a random generator")
            self.generators[id(rng)] = rng
        seed = super().draw(rng)
        self.watch.drawn(rng)
        return seed

    def _require(self, tensor: Tensor) -> None:
        if id(tensor) not in self.sources:
            self.watch.require_known(tensor, tensor.name or "a tensor")


def facts(tensor: Tensor) -> tuple:
    """What a recording takes for granted of a tensor's array."""
    array = instrument.DATA.__get__(tensor)
    return (array.shape, array.dtype, array.strides, tensor._tracked)


def gradient_facts(tensor: Tensor) -> tuple | None:
    """What a recording takes for granted of a tensor's gradient; None for no gradient."""
    held = instrument.GRAD.__get__(tensor)
    return None if held is None else facts(held)
