"""A whole network: every parameter's gradient against the complex step, and who is to blame."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import ops, tree
from ..engine import gradients
from ..errors import GradientError
from ..tape import enable_grad, no_grad, observe
from ..tensor import Tensor
from .blame import culprits
from .checker import run
from .kinks import NEAR, Branches, first_change
from .laws import extrapolate
from .report import LAWS, Kink, Report, announce, broken, told
from .subject import STEP, CannotBeComplex, Subject

TOLERANCE = 1e-10
SMALL = 1e-4
"""Gradients this much smaller than the largest are held to the largest one's rounding."""


@dataclass
class ModelReport(Report):
    """A report on a network; `parameters` holds the relative error of each parameter's gradient."""

    parameters: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        worst = max(self.parameters, key=self.parameters.__getitem__, default=None)
        if worst is None:
            return super().__str__()
        return (
            f"{super().__str__()}\n      {len(self.parameters)} gradients of parameters and input; "
            f"the worst is {worst}: {self.parameters[worst]:.2g}"
        )


def check_model(
    model: Any, x: Any, labels: Any = None, loss: Callable[..., Any] | None = None, seed: int = 0
) -> ModelReport:
    """Hold a network's gradients to laws 2, 3, 6 and 8, each parameter by itself, in float64.

    The derivative of the loss along a random direction in each parameter, Im L(p + ih·d)/h, is
    compared with ⟨d, ∂L/∂p⟩ (to 1e-10), and so is the input's; by extrapolated differences (law 4)
    where the network cannot be run on complex numbers. The loss is the cross-entropy with
    `labels`, or `loss(model(x), labels)`, or a random weighting of the outputs when there are no
    labels. The model is checked in the mode it is in, with one dropout mask, and is left as it was.

    >>> import numpy as np, autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> report = ag.testing.check_model(model, np.ones((5, 3)), [0, 1, 1, 0, 1])
    >>> report.worst < 1e-10, len(report.parameters)
    (True, 5)

    Raises GradientError with the parameter, the values on both sides, and the layer and operation
    whose rule is wrong.
    """
    return copy_context().run(_check, model, x, labels, loss, seed)


def _check(model: Any, x: Any, labels: Any, loss: Any, seed: int) -> ModelReport:
    x = x._data if isinstance(x, Tensor) else np.asarray(x)
    x = x.astype(np.float64) if x.dtype.kind == "f" else x
    with _in_double(model) as (parameters, reset):

        def value(x: Any) -> Any:
            reset()
            ops.seed(seed)
            y = model(x)
            if loss is not None:
                return loss(y) if labels is None else loss(y, labels)
            return _weighted(y, seed) if labels is None else ops.cross_entropy(y, labels)

        report = ModelReport(type(model).__name__)
        try:
            _parameters(report, value, parameters, x, seed)
            if x.dtype.kind == "f":
                _as_function(value, x, seed, report)
        except GradientError as error:
            report.law(error.law).broken = True  # type: ignore[attr-defined]
            raise
        finally:
            announce(report)
        return report


@contextmanager
def _in_double(model: Any) -> Iterator[tuple[dict[str, Tensor], Callable[[], None]]]:
    """The parameters, in double precision inside the block, and what puts the buffers back."""
    parameters = dict(model.named_parameters()) if hasattr(model, "named_parameters") else {}
    buffers = dict(model.named_buffers()) if hasattr(model, "named_buffers") else {}
    tensors = [*parameters.values(), *buffers.values()]
    before = [(t, t._data, t._node) for t in tensors]
    doubled = [(t, t._data.astype(np.float64) if t.dtype.kind == "f" else t._data) for t in tensors]

    def reset() -> None:
        for buffer, data in doubled[len(parameters) :]:
            buffer._data = data

    try:
        for tensor, data in doubled:
            tensor._data, tensor._node = data, None
        yield {name: p for name, p in parameters.items() if p.requires_grad}, reset
    finally:
        for tensor, data, node in before:
            tensor._data, tensor._node = data, node


def _parameters(report: ModelReport, value: Any, parameters: dict, x: Any, seed: int) -> None:
    rng = np.random.default_rng((seed, 1729))
    varied = dict(parameters)
    if x.dtype.kind == "f":
        varied["input"] = Tensor(x, requires_grad=True)
    inputs = varied.get("input", Tensor(x))
    every = list(varied.values())
    with enable_grad():
        found = gradients(value(inputs), every)
    entries = []
    for (path, tensor), gradient in zip(varied.items(), found, strict=True):
        direction = np.asarray(rng.standard_normal(tensor.shape))
        entries.append((path, tensor, direction, direction * gradient._data))
    largest = max((float(np.abs(terms).sum()) for *_, terms in entries), default=0.0)
    wrong, line = [], _Line(value, every, inputs)
    for path, tensor, direction, terms in entries:
        right = float(terms.sum())
        for number, left, estimate in line.derivatives(tensor, direction, right, report):
            scale = max(abs(left), float(np.abs(terms).sum()), SMALL * largest)
            error = abs(left - right) / scale if left != right else 0.0
            tolerance = max(TOLERANCE, 4 * estimate / scale) if scale else TOLERANCE
            report.parameters[path] = error
            if not report.enter(number, error, tolerance):
                wrong.append((number, path, left, right, error))
    report.evaluations = line.evaluations + 1
    if wrong:
        _blame(report.name, wrong, value, inputs)


class _Line:
    """The loss along one direction in one tensor."""

    def __init__(self, value: Any, every: list[Tensor], inputs: Tensor) -> None:
        self.value, self.every, self.inputs = value, every, inputs
        self.evaluations = 0

    def derivatives(
        self, tensor: Tensor, direction: np.ndarray, rule: float, report: ModelReport
    ) -> Iterator[tuple[int, float, float]]:
        """The law, the derivative and its error estimate; nothing where none can be had.

        The complex step; where it cannot be taken, or real differences side with the rule against
        it, extrapolated differences. At a kink there is no derivative.
        """
        try:
            found = self.complex_step(tensor, direction)
            if abs(found - rule) <= TOLERANCE * abs(rule):
                yield 3, found, 0.0
                return
        except Exception as error:
            report.law(3).why_not, found = told(error), None
        kink = self.kink(tensor, direction)
        if kink is not None:
            report.kinks.append(kink)
            report.skip(4 if found is None else 3, f"on a kink of {kink.primitive}")
            return
        slope, estimate = self.difference(tensor, direction)
        sides = found is not None and abs(slope - rule) <= 10 * estimate < abs(found - rule) / 10
        if found is not None and not sides:
            yield 3, found, 0.0
        elif np.isfinite(slope) and estimate <= 1e-4 * max(abs(slope), abs(rule)):
            yield 4, slope, estimate
        else:
            report.skip(4, "the differences are too noisy for their own estimate")

    def complex_step(self, tensor: Tensor, direction: np.ndarray) -> float:
        """Im L(p + ih·d)/h."""
        found = self.at(tensor, (1j * STEP) * direction)[0]
        if not np.iscomplexobj(found):
            raise CannotBeComplex("complex parameters gave a real loss")
        return float(found.imag) / STEP

    def difference(self, tensor: Tensor, direction: np.ndarray) -> tuple[float, float]:
        """Ridders' differences on the piece where the point lies (Ridders 1982)."""
        here, step = self.at(tensor, 0.0 * direction)[1], 0.05 / (1.0 + np.abs(direction).max())
        for _ in range(20):
            if all(self.at(tensor, s * step * direction)[1] == here for s in (1.0, -1.0)):
                break
            step /= 3
        along = lambda t: float(self.at(tensor, t * direction)[0])
        return extrapolate(along, float(step), float(np.finfo(np.float64).eps))

    def kink(self, tensor: Tensor, direction: np.ndarray) -> Kink | None:
        """The kink that the point is on."""
        here, right, left = (self.at(tensor, t * direction)[1] for t in (0.0, NEAR, -NEAR))
        for beside in (right, left):
            if beside != here:
                return Kink(*first_change(here, beside), 0.0)
        return None

    def at(self, tensor: Tensor, change: np.ndarray) -> tuple[Any, Any]:
        """The loss with one tensor moved, and the pieces that piecewise operations took.

        Every tensor takes the dtype of the change, for kernels that want only one.
        """
        self.evaluations += 1
        before, branches = [(t, t._data) for t in self.every], Branches()
        try:
            for t, data in before:
                t._data = data + (change if t is tensor else 0.0 * change.reshape(-1)[:1].sum())
            with no_grad(), observe(branches), warnings.catch_warnings():
                # a batch norm in training drops the imaginary part of its running statistics
                warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
                return self.value(self.inputs)._data[()], branches.signature
        finally:
            for t, data in before:
                t._data = data


def _as_function(value: Any, x: np.ndarray, seed: int, report: ModelReport) -> None:
    """Laws 2, 6 and 8 on the loss as a function of the input."""
    subject = Subject.of(value, (x,), {})
    subject.name = report.name
    other = run(subject, 1, (2, 6, 8), seed)
    report.absorb(other)


def _blame(name: str, wrong: list, value: Any, inputs: Tensor) -> None:
    """Raise GradientError for the parameters that are wrong, naming the layer that made them so."""

    def forward() -> None:
        with enable_grad():
            value(inputs)

    law, path, left, right, error = wrong[0]
    more = ", ".join(p for _, p, *_ in wrong[1:6])
    others = f", and of {len(wrong) - 1} more: {more}" if more else ""
    guilty, untried = culprits(forward)
    try:
        broken(
            law, name, f"the gradient of {path} is wrong{others}",
            {f"{LAWS[law]}, ∂L/∂p·d": left, "backward pass, ⟨d, ∂L/∂p⟩": right},
            error=error, tolerance=TOLERANCE, input_name=path,
        )  # fmt: skip
    except GradientError as raised:
        failure: Any = raised
    lines = [str(failure)]
    for primitive, line, scope, inner in guilty:
        layer = ".".join(part for part in scope.path if part) if scope else ""
        where = f"in layer {layer} ({scope.kind})" if layer else "outside any layer"
        rule = f"the rule of {primitive.name} for {inner.input_name}, recorded at {line}"
        lines.append(f"  {where}: {rule}")
    if not guilty:
        lines += [f"  {line}" for line in untried[:6]] or [
            "  every operation is right by itself: a value left the tape between them"
        ]
    failure.args = ("\n".join(lines),)
    failure.culprit = guilty[0][0].name if guilty else None
    failure.layer = ".".join(p for p in guilty[0][2].path if p) if guilty and guilty[0][2] else None
    raise failure


def _weighted(outputs: Any, seed: int) -> Any:
    """⟨u, y⟩ with a fixed normal u: a loss for a model without labels."""
    rng, total = np.random.default_rng((seed, 31)), 0.0
    for y in tree.leaves(outputs):
        if isinstance(y, Tensor) and y.dtype.kind in "fc":
            total = total + (y * rng.standard_normal(y.shape)).sum()
    return total
