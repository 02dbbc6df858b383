"""Laws 8 and 9: what a gradient must not do besides being right: write, leak, widen, or vary."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np

from ..primitive import Primitive
from ..tape import Leaf, enable_grad, observe
from ..tensor import Tensor
from .layouts import LAYOUTS, relaid, repeated
from .report import broken, told
from .state import State
from .subject import Arrays, Subject


def hygiene(state: State, keeps_dtype: bool = True) -> None:
    """Law 8, in double and single precision. `keeps_dtype` asks the outputs to have the inputs'."""
    for dtype in (np.float64, np.float32):
        values = [_read_only(x.astype(dtype)) for x in state.values]
        with np.errstate(all="ignore"):
            outputs = state.subject.evaluate(values)
        cotangents = [
            _read_only(g.astype(y.dtype)) for g, y in zip(state.cotangents, outputs, strict=True)
        ]
        _untouched_and_equal(state, values, cotangents, outputs)
        _dtypes(state, values, cotangents, outputs, dtype if keeps_dtype else None)
    _recorded(state)
    if state.subject.primitive is not None:
        _raw_arrays(state)
    _tape(state)


def layouts(state: State, not_repeated: str | None = None) -> None:
    """Law 9: values and gradients do not depend on how the inputs and cotangents lie in memory."""
    subject, entry = state.subject, state.report.law(9)
    entry.tolerance = 1e-12
    if not_repeated:
        state.skip(9, not_repeated)
    for layout in LAYOUTS if not_repeated else (*LAYOUTS, "repeated"):
        plain = [[*state.values], [*state.cotangents]]
        if layout == "repeated":
            others = [[repeated(x) if x.ndim else x for x in arrays] for arrays in plain]
            plain = [[np.array(x) for x in arrays] for arrays in others]
        else:
            others = [[relaid(x, layout) for x in arrays] for arrays in plain]
        with np.errstate(all="ignore"):
            try:
                expected = [*subject.evaluate(plain[0]), *subject.pull(*plain)]
            except Exception as error:
                if layout != "repeated":
                    raise
                # equal rows are a point of their own: a singular matrix, perhaps
                state.skip(9, f"equal rows are no arguments of it: {told(error)}")
                continue
            found = [*subject.evaluate(others[0]), *subject.pull(*others)]
        for one, other in zip(expected, found, strict=True):
            if not np.isfinite(one).all():
                state.skip(9, "not a finite number")
                continue
            entry.comparisons += 1
            if np.array_equal(one, other):
                continue
            error = float(np.abs(one - other).max() / max(1.0, np.abs(one).max()))
            entry.worst = max(entry.worst, error)
            if not error <= entry.tolerance:
                broken(9, subject.name, f'inputs with the layout "{layout}" give something else',
                       error=error, tolerance=entry.tolerance, line=subject.line)  # fmt: skip


def _note(state: State) -> None:
    state.report.law(8).comparisons += 1


def _fail(state: State, what: str, sides: dict[str, Any] | None = None) -> None:
    broken(8, state.subject.name, what, sides, line=state.subject.line)


def _read_only(x: np.ndarray) -> np.ndarray:
    x = np.array(x)
    x.flags.writeable = False
    return x


def _untouched_and_equal(state: State, values: Arrays, cotangents: Arrays, outputs: Arrays) -> None:
    """Inputs and cotangents are left alone (they are read-only too), and two runs are equal."""
    subject = state.subject
    before = [x.tobytes() for x in [*values, *cotangents]]
    first, second = (subject.pull(values, cotangents) for _ in range(2))
    again = subject.evaluate(values)
    if before != [x.tobytes() for x in [*values, *cotangents]]:
        _fail(state, "an input or a cotangent was written to")
    for what, one, other in (("values", outputs, again), ("gradients", first, second)):
        if not all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)):
            _fail(state, f"two runs gave different {what}")
    _note(state)


def _dtypes(state: State, values: Arrays, cotangents: Arrays, outputs: Arrays, dtype: Any) -> None:
    for name, x, g in zip(
        state.subject.input_names, values, state.subject.pull(values, cotangents), strict=True
    ):
        if (g.shape, g.dtype) != (x.shape, x.dtype):
            _fail(state, f"the gradient in {name} does not look like {name}",
                  {name: f"{x.shape} {x.dtype}", "gradient": f"{g.shape} {g.dtype}"})  # fmt: skip
    for y in outputs:
        if dtype is not None and state.subject.primitive is not None and y.dtype != dtype:
            _fail(state, "the output's dtype is not that of the inputs",
                  {"inputs": dtype.__name__, "output": y.dtype})  # fmt: skip
    _note(state)


def _recorded(state: State) -> None:
    """Rules give the same on arrays as on tensors that are recorded for a second derivative."""
    found = state.subject.pull(state.values, state.cotangents, recorded=True)
    for name, plain, recorded in zip(state.subject.input_names, state.pulled, found, strict=True):
        scale = float(np.abs(plain).max(initial=0.0))
        if not np.allclose(plain, recorded, rtol=1e-12, atol=1e-12 * scale, equal_nan=True):
            gap = np.abs(plain - recorded)
            place = tuple(int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
            _fail(state, f"the rule for {name} gives something else when recorded, at {place}",
                  {"on arrays": plain[place], "recorded": recorded[place]})  # fmt: skip
    _note(state)


def _raw_arrays(state: State) -> None:
    """Operations on arrays give arrays, the same as on tensors."""
    args = list(state.subject.args)
    for position, value in zip(state.subject.positions, state.values, strict=True):
        args[position] = value
    found = state.subject.function(*args)
    if isinstance(found, Tensor):
        _fail(state, "arrays in gave a tensor out")
    if state.outputs and not np.array_equal(found, state.outputs[0], equal_nan=True):
        _fail(state, "arrays and tensors give different values")
    _note(state)


class _Watch:
    """An observer of one forward pass: weak references to its nodes and arrays."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self.declared, self.kept = _Bytes(), _Bytes()

    def forward(
        self, primitive: Primitive, inputs: list, attributes: dict, ans: Any, node: Any
    ) -> None:
        if isinstance(ans, np.ndarray):
            self.arrays.append((primitive.name, weakref.ref(ans)))
        if node is None:
            return
        self.nodes.append((primitive.name, weakref.ref(node)))
        for array in _arrays(node.kept):
            self.kept.count(array)
        reads = {n for _, rule, *_ in node.plan.steps if rule for n in rule.reads}
        named = {"ans": ans}
        named |= {primitive.inputs[0]: tuple(inputs)} if primitive.variadic else dict(
            zip(primitive.inputs, inputs, strict=False))  # fmt: skip
        for name in reads & set(named):
            for array in _arrays(named[name]):
                self.declared.count(array)
        for name in reads & set(primitive.extras):
            array = node.values()[node.plan.index[name]]
            self.declared.count(array)


class _Bytes:
    """The bytes of different arrays, each counted once."""

    def __init__(self) -> None:
        self.total = 0
        self.seen: dict[int, Any] = {}

    def count(self, array: np.ndarray) -> None:
        """Add an array; the number of one that was freed may since be that of another."""
        seen = self.seen.get(id(array))
        if seen is None or seen() is not array:
            self.seen[id(array)] = weakref.ref(array)
            self.total += array.nbytes


def _arrays(values: Any) -> list[np.ndarray]:
    if isinstance(values, (tuple, list)):
        return [array for value in values for array in _arrays(value)]
    return [values] if isinstance(values, np.ndarray) else []


def _tape(state: State) -> None:
    """The tape keeps what the rules name and nothing else, and counting references frees it."""
    kept, declared, hidden, leaked = _watched(state.subject, state.values)
    state.report.bytes_kept, state.report.bytes_declared = kept, declared
    if kept != declared:
        _fail(state, "the tape keeps something else than its rules name",
              {"bytes kept": kept, "bytes declared": declared})  # fmt: skip
    if hidden:
        _fail(state, f"a value of {hidden[0]} stays alive though no rule names it")
    if leaked:
        _fail(state, f"the tape node of {leaked[0]} is not freed by reference counting")
    _note(state)


def _watched(subject: Subject, values: Arrays) -> tuple[int, int, list[str], list[str]]:
    """Bytes kept, bytes declared, operations with hidden live values, and nodes that leak."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        watch = _Watch()
        with observe(watch), enable_grad():
            inputs = [Tensor(np.array(x), requires_grad=True) for x in values]
            outputs = subject.outputs(*inputs)
        reachable = _reachable(outputs, inputs)
        alive = [(name, ref()) for name, ref in watch.arrays]
        hidden = [name for name, array in alive if array is not None and id(array) not in reachable]
        del alive, inputs, outputs, reachable
        leaked = [name for name, ref in watch.nodes if ref() is not None]
    finally:
        if collecting:
            gc.enable()
    return watch.kept.total, watch.declared.total, hidden, leaked


def _reachable(outputs: list[Tensor], inputs: list[Tensor]) -> set[int]:
    """The arrays that outputs, inputs, tape nodes, or views of them hold."""
    stack = [t._node for t in outputs if t._node is not None]
    seen = {id(node) for node in stack}
    held = [t._data for t in [*outputs, *inputs]]
    while stack:
        node = stack.pop()
        if not isinstance(node, Leaf):
            held += _arrays(node.kept)
            held += _arrays(list(node.attributes.values()))
        for parent in node.parents:
            if parent is not None and id(parent) not in seen:
                seen.add(id(parent))
                stack.append(parent)
    found = set()
    for array in held:
        while isinstance(array, np.ndarray):
            found.add(id(array))
            array = array.base
    return found
