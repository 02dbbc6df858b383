"""Law 7: in single and half precision, errors stay within a bound that is carried along the tape.

Every operation rounds its answer, and inside it terms as large as its inputs make them. So, to
first order in the unit roundoff u, an output f is computed with an error of at most

    c·u·Σ_operations ( Σ |∂f/∂ans|·|ans| + Σ |∂f/∂x|·|x| )

where ∂f/∂ans is the gradient that reaches the operation and ∂f/∂x the part of it that its rule
hands on to the input x: for a sum of products this is Wilkinson's u·Σ|w||x|. c is a small constant;
for single precision it grows with the square root of the number of terms, for half precision it
does not, because half precision must be summed in single.

Sources: Higham, "Accuracy and Stability of Numerical Algorithms", 2002, §3.3 (running error
analysis); Menon et al. 2018 (errors weighted by adjoints).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import gradients
from ..errors import GradientError
from ..tape import enable_grad, node_of, observe
from ..tensor import Tensor
from .report import broken, told
from .subject import Arrays, Subject

if TYPE_CHECKING:
    from .state import State

CONSTANT = 4.0
"""How many roundings of its own size one operation may do: a handful of steps in a formula."""
PLACES = 4
"""At most this many entries of each output are compared."""


class Bound:
    """The rounding error that one call of a function in double precision would allow another."""

    def __init__(self, subject: Subject, values: Arrays) -> None:
        self.sizes = _Sizes()
        with observe(self.sizes), enable_grad():
            self.inputs = [Tensor(np.array(x), requires_grad=True) for x in values]
            self.outputs = subject.outputs(*self.inputs)
        subject.evaluations += 1

    @property
    def largest(self) -> float:
        """The largest number that the computation meets."""
        arrays = self.sizes.values.values()
        return max((float(a.max()) for a in arrays if a.size), default=0.0)

    @property
    def terms(self) -> int:
        """No sum has more terms than the largest array has entries."""
        return max((a.size for a in self.sizes.values.values()), default=1)

    def magnitude(self, output: int, index: tuple) -> tuple[float, float]:
        """What u is multiplied by in the bound of one entry, and what an underflow is."""
        seed = np.zeros(self.outputs[output].shape)
        seed[index] = 1.0
        return self.along(output, seed)

    def along(self, output: int, seed: np.ndarray) -> tuple[float, float]:
        """The same for ⟨seed, output⟩."""
        y = self.outputs[output]
        self.sizes.total = self.sizes.weight = 0.0
        if y.requires_grad:
            self.sizes.values.setdefault(node_of(y), np.abs(y._data))
            with observe(self.sizes):
                gradients([y], self.inputs, [Tensor(np.asarray(seed, y.dtype))])
        own = float((np.abs(seed) * np.abs(y._data)).sum())
        return self.sizes.total + own, self.sizes.weight + 1.0


class _Sizes:
    """An observer that keeps the size of every value, and weighs it with the gradient there."""

    def __init__(self) -> None:
        self.values: dict[Any, np.ndarray] = {}
        self.total = self.weight = 0.0

    def forward(self, primitive: Any, inputs: list, attributes: dict, ans: Any, node: Any) -> None:
        if node is None:
            return
        self.values[node] = np.abs(ans)
        for parent, value in zip(node.parents, inputs, strict=True):
            if parent is not None and parent not in self.values:
                self.values[parent] = np.abs(value)

    def backward(self, node: Any, g: Any, contributions: list) -> None:
        g = _array(g)
        self.total += float((np.abs(g) * self.values[node]).sum())
        self.weight += float(np.abs(g).sum())
        for parent, contribution in contributions:
            self.total += float((np.abs(_array(contribution)) * self.values[parent]).sum())


def _array(x: Any) -> np.ndarray:
    return x._data if isinstance(x, Tensor) else x


def explained(subject: Subject, values: Arrays, output: int, seed: np.ndarray) -> float:
    """By how much rounding alone lets two computations of ⟨seed, output⟩ differ."""
    with np.errstate(all="ignore"):
        bound = Bound(subject, values)
        magnitude, _ = bound.along(output, seed)
    allowed = (CONSTANT + bound.terms**0.5) * magnitude * float(np.finfo(np.float64).eps)
    return allowed if np.isfinite(allowed) else 0.0


def precision(state: State) -> None:
    """Law 7 for the values and the gradients, in single and in half precision."""
    if state.coarseness > 1:
        return state.does_not_apply(7, "computed in lower precision inside already")
    for dtype in (np.float32, np.float16):
        values = [x.astype(dtype) for x in state.values]
        cotangents = [g.astype(dtype) for g in state.cotangents]
        pulled = state.subject.derivative(len(state.outputs))
        for subject, arrays in ((state.subject, values), (pulled, [*values, *cotangents])):
            try:
                _compare(state, subject, arrays, dtype)
            except GradientError:
                raise
            except Exception as error:  # LAPACK has no half precision, and so may others
                state.skip(7, f"{dtype.__name__}: {told(error)}")
        state.subject.evaluations += pulled.evaluations


def _compare(state: State, subject: Subject, values: Arrays, dtype: Any) -> None:
    """One function at low precision against itself in double, at the same representable point."""
    from .kinks import signature

    wide = [x.astype(np.float64) for x in values]
    with np.errstate(all="ignore"):
        pieces, low = signature(subject, values)
        exact_pieces, high = signature(subject, wide)
        if pieces != exact_pieces:
            return state.skip(7, f"rounding to {dtype.__name__} changes the piece taken")
        bound = Bound(subject, wide)
    information = np.finfo(dtype)
    if not bound.largest <= information.max / 4:
        return state.skip(7, f"numbers inside are too large for {dtype.__name__}")
    if bound.largest > information.max**0.5 and not all(np.isfinite(y).all() for y in low):
        return state.skip(7, f"a square inside is too large for {dtype.__name__}")
    for k, (ours, exact) in enumerate(zip(low, high, strict=True)):
        places = state.rng.permutation(ours.size)[:PLACES] if ours.size else ()
        for place in places:
            index = tuple(int(i) for i in np.unravel_index(int(place), ours.shape))
            with np.errstate(all="ignore"):
                magnitude, weight = bound.magnitude(k, index)
            allowed = _constant(dtype, bound.terms) * (
                magnitude * information.eps / 2 + weight * information.smallest_subnormal
            )
            _enter(state, subject, dtype, ours[index], exact[index], allowed, k, index)


def _constant(dtype: Any, terms: int) -> float:
    return CONSTANT + (0.0 if dtype == np.float16 else terms**0.5)


def _enter(
    state: State, subject: Subject, dtype: Any, found: Any, exact: Any, allowed: float,
    output: int, index: tuple,
) -> None:  # fmt: skip
    gap = abs(float(found) - float(exact))
    share = 0.0 if gap == 0 else gap / allowed if allowed > 0 else float("inf")
    share = share if np.isfinite(float(found)) or not np.isfinite(exact) else float("inf")
    if state.report.enter(7, share, 1.0):
        return
    what, name = "the value", None
    if subject is not state.subject and output < len(state.values):
        name = state.subject.input_names[output]
        what = f"the gradient in {name}"
    sides = {dtype.__name__: float(found), "float64": float(exact), "allowed difference": allowed}
    broken(
        7, state.subject.name,
        f"{what} at {index} is further from exact than rounding to {dtype.__name__} explains",
        sides, error=share, tolerance=1.0, input_name=name, index=index, line=state.subject.line,
    )  # fmt: skip
