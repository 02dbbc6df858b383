"""Everything a compiled function may change, at one moment: for comparing a replay with a run."""

from __future__ import annotations

from typing import Any

from ..ops import random
from ..tensor import Tensor


class Snapshot:
    """Values, gradients, optimizer states and random generators at one moment."""

    def __init__(self, tensors: list[Tensor], optimizers: list, generators: list) -> None:
        self.tensors = [(t, t._data.copy(), t.grad) for t in tensors]
        self.optimizers = [
            (o, {p: {k: v.copy() if hasattr(v, "copy") else v for k, v in kept.items()}
                 for p, kept in o.state.items()})
            for o in optimizers
        ]  # fmt: skip
        self.shared = random._generator.get() or random._shared
        self.state = self.shared.getstate()
        self.generators = [
            (g, g.getstate() if hasattr(g, "getstate") else g.bit_generator.state)
            for g in generators
        ]

    def restore(self) -> None:
        """Put everything back."""
        for tensor, array, grad in self.tensors:
            tensor._data, tensor.grad = array.copy(), grad
        for optimizer, state in self.optimizers:
            optimizer.state = state
        self.shared.setstate(self.state)
        for generator, state in self.generators:
            if hasattr(generator, "setstate"):
                generator.setstate(state)
            else:
                generator.bit_generator.state = state

    def arrays(self) -> list:
        """Everything, as arrays in a fixed order."""
        found: list[Any] = []
        for _, array, grad in self.tensors:
            found += [array, None if grad is None else grad._data]
        for _, state in self.optimizers:
            for kept in state.values():
                found += [kept[name] for name in sorted(kept)]
        return found
