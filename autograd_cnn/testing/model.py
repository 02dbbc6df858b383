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
from ..tape import enable_grad, no_grad
from ..tensor import Tensor
from .blame import culprits
from .checker import run
from .report import Report, broken
from .subject import STEP, Subject

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
    compared with ⟨d, ∂L/∂p⟩ (to 1e-10), and so is the input's. The loss is the cross-entropy with
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

        report = _parameters(type(model).__name__, value, parameters, x, seed)
        if x.dtype.kind == "f":
            _as_function(value, x, seed, report)
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


def _parameters(name: str, value: Any, parameters: dict, x: Any, seed: int) -> ModelReport:
    report, rng = ModelReport(name), np.random.default_rng((seed, 1729))
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
        terms = direction * gradient._data
        entries.append((path, _complex_step(value, every, tensor, direction, inputs), terms))
    largest = max((float(np.abs(terms).sum()) for *_, terms in entries), default=0.0)
    law = report.law(3)
    law.tolerance = TOLERANCE
    wrong = []
    for path, left, terms in entries:
        right = float(terms.sum())
        scale = max(abs(left), float(np.abs(terms).sum()), SMALL * largest)
        error = abs(left - right) / scale if left != right else 0.0
        report.parameters[path] = error
        law.comparisons, law.worst = law.comparisons + 1, max(law.worst, error)
        if not error <= TOLERANCE:
            wrong.append((path, left, right, error))
    report.evaluations = len(entries) + 1
    if wrong:
        _blame(name, wrong, value, inputs)
    return report


def _complex_step(
    value: Any, every: list[Tensor], tensor: Tensor, direction: np.ndarray, inputs: Tensor
) -> float:
    """Im L(p + ih·d)/h; every parameter is made complex, for kernels that want one dtype."""
    before = [(t, t._data) for t in every]
    try:
        for t, data in before:
            t._data = data + (1j * STEP) * (direction if t is tensor else 0.0)
        with no_grad(), warnings.catch_warnings():
            # a batch norm in training drops the imaginary part of its running statistics
            warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
            return float(np.imag(value(inputs)._data)) / STEP
    finally:
        for t, data in before:
            t._data = data


def _as_function(value: Any, x: np.ndarray, seed: int, report: ModelReport) -> None:
    """Laws 2, 6 and 8 on the loss as a function of the input."""
    subject = Subject.of(value, (x,), {})
    subject.name = report.name
    other = run(subject, 1, (2, 6, 8), seed)
    report.laws |= other.laws
    report.evaluations += other.evaluations
    report.bytes_kept, report.bytes_declared = other.bytes_kept, other.bytes_declared


def _blame(name: str, wrong: list, value: Any, inputs: Tensor) -> None:
    """Raise GradientError for the parameters that are wrong, naming the layer that made them so."""

    def forward() -> None:
        with enable_grad():
            value(inputs)

    path, left, right, error = wrong[0]
    more = ", ".join(p for p, *_ in wrong[1:6])
    others = f", and of {len(wrong) - 1} more: {more}" if more else ""
    guilty = culprits(forward)
    try:
        broken(
            3, name, f"the gradient of {path} is wrong{others}",
            {"complex step, ∂L/∂p·d": left, "backward pass, ⟨d, ∂L/∂p⟩": right},
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
        lines.append("  every operation is right by itself: a value left the tape between them")
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
