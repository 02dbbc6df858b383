"""The generated code of a chain: rows of entries, each loaded once, through all steps, stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .assembly import FLOAT, Function, Value
from .machine import Machine

if TYPE_CHECKING:
    from .chains import Form

COMPARISONS = {
    "greater": "ogt", "greater_equal": "oge", "less": "olt", "less_equal": "ole",
    "equal": "oeq", "not_equal": "une",
}  # fmt: skip
_BYTE = "i8"
_LANES = 8  # wider vectors take 15 % longer where memory is the limit


def _maximum(f: Function, x: Value, y: Value) -> Value:
    """y where they are equal, and NaN where one is."""
    return f.choose(f.test("uno", x, x), x, f.choose(f.test("ogt", x, y), x, y))


def _minimum(f: Function, x: Value, y: Value) -> Value:
    return f.choose(f.test("uno", x, x), x, f.choose(f.test("olt", x, y), x, y))


def _step(f: Function, x: Value) -> Value:
    return f.choose(f.test("ogt", x, _all(f, 0, x)), _all(f, 1, x), _all(f, 0, x))


def _sign(f: Function, x: Value) -> Value:
    zero = _all(f, 0, x)
    small = f.choose(f.test("olt", x, zero), _all(f, -1, x), x + zero)  # −0 becomes 0
    return f.choose(f.test("ogt", x, zero), _all(f, 1, x), small)


_KERNELS: dict[str, tuple[int, Callable[..., Value]]] = {
    "identity": (1, lambda f, x: x),
    "add": (2, lambda f, x, y: x + y),
    "subtract": (2, lambda f, x, y: x - y),
    "multiply": (2, lambda f, x, y: x * y),
    "divide": (2, lambda f, x, y: x / y),
    "negative": (1, lambda f, x: f.emit(x.kind, f"fneg {x.kind} {x.text}")),
    "square": (1, lambda f, x: x * x),
    "sqrt": (1, lambda f, x: f.intrinsic("sqrt", x)),
    "abs": (1, lambda f, x: f.intrinsic("fabs", x)),
    "sign": (1, _sign),
    "step": (1, _step),
    "relu": (1, lambda f, x: _maximum(f, x, _all(f, 0, x))),
    "maximum": (2, _maximum),
    "minimum": (2, _minimum),
    "where": (3, lambda f, condition, x, y: f.choose(condition, x, y)),
}
ARITY = {name: arity for name, (arity, _) in _KERNELS.items()} | dict.fromkeys(COMPARISONS, 2)
"""The kernels that a step may name, and how many operands they have."""
KERNELS = {name: code for name, (_, code) in _KERNELS.items()}
"""Their code: KERNELS["relu"](function, x) for a number or a vector x."""


def fields(inputs: int, outputs: int) -> str:
    """The words that the code reads: a worker's rows and entries, steps of inputs, addresses.

    For every input: how far it moves from one outer row to the next, and from one inner row.
    """
    steps = [f"outer{i} inner{i}" for i in range(inputs)]
    arrays = [f"in{i}*" for i in range(inputs)] + [f"out{i}*" for i in range(outputs)]
    return " ".join(["bounds* inner length", *steps, *arrays, "scalars*"])


def build(machine: Machine, name: str, form: Form) -> Function:
    """Rows first … last of a worker, in each the entries start … stop."""
    f = Function(name, "table* worker", min(machine.lanes, _LANES))
    table, worker = f.arguments
    a = f.fields(table, fields(len(form.kinds), len(form.outputs)))
    share = f.fields(f.step(a["bounds"], worker * 4, "i64"), "first last start stop")
    scalars = [f.load(a["scalars"] + number) for number in range(form.scalars)]
    with f.loop(share["last"], start=share["first"]) as row:
        outer = row // a["inner"]
        inner = row - outer * a["inner"]
        sources = []
        for number, kind in enumerate(form.kinds):
            place = outer * a[f"outer{number}"] + inner * a[f"inner{number}"]
            sources.append(f.step(a[f"in{number}"], place, _held(kind)))
        targets = [
            f.step(a[f"out{number}"], row * a["length"], _held(kind))
            for number, kind in enumerate(form.types)
        ]
        still = [
            None if along else _load(f, source, kind, FLOAT)
            for source, kind, along in zip(sources, form.kinds, form.along, strict=True)
        ]

        def entries(place: Value, kind: str) -> None:
            inputs = [
                _load(f, f.step(source, place, _held(of)), of, kind) if one is None
                else _spread(f, one, kind)
                for source, of, one in zip(sources, form.kinds, still, strict=True)
            ]  # fmt: skip
            answers = _answers(f, form, inputs, scalars, kind)
            for value, target, of in zip(answers, targets, form.types, strict=True):
                _store(f, value, f.step(target, place, _held(of)))

        size = share["stop"] - share["start"]
        vectors = share["start"] + size // f.lanes * f.lanes
        with f.loop(vectors, start=share["start"], step=f.lanes) as place:
            entries(place, f.vector)
        with f.loop(share["stop"], start=vectors) as place:
            entries(place, FLOAT)
    return f


def _answers(f: Function, form: Form, inputs: list, scalars: list, width: str) -> list[Value]:
    """The outputs of a chain for some entries."""
    known: dict[str, list[Value]] = {
        "i": inputs, "s": [_spread(f, one, width) for one in scalars], "r": [],
    }  # fmt: skip
    for kernel, terms in form.steps:
        operands = [known[letter][number] for letter, number in terms]
        known["r"].append(_answer(f, kernel, operands, width))
    return [known["r"][number] for number in form.outputs]


def _answer(f: Function, kernel: str, operands: list[Value], kind: str) -> Value:
    if kernel == "where":
        condition, *operands = operands
        numbers = [_number(f, value, kind) for value in operands]
        return f.choose(_condition(f, condition), *numbers)
    numbers = [_number(f, value, kind) for value in operands]
    if kernel in COMPARISONS:
        return f.test(COMPARISONS[kernel], *numbers)
    return KERNELS[kernel](f, *numbers)


def _all(f: Function, number: float, like: Value) -> Value:
    return _spread(f, f.real(number), like.kind)


def _held(kind: str) -> str:
    """How an array of NumPy's type is held in memory."""
    return FLOAT if kind == "f" else _BYTE


def _load(f: Function, pointer: Value, kind: str, width: str) -> Value:
    """Floats, or conditions from bytes; one or a vector as `width` says."""
    if kind == "f":
        return f.load(pointer, width)
    wide = width.replace(FLOAT, _BYTE)
    byte = f.emit(wide, f"load {wide}, ptr {pointer.text}, align 1")
    return f.emit(f.condition(width), f"icmp ne {wide} {byte.text}, zeroinitializer")


def _store(f: Function, value: Value, pointer: Value) -> None:
    if "float" in value.kind:
        f.store(value, pointer)
        return
    wide = value.kind.replace("i1", _BYTE)
    byte = f.emit(wide, f"zext {value.kind} {value.text} to {wide}")
    f.line(f"store {wide} {byte.text}, ptr {pointer.text}, align 1")


def _spread(f: Function, value: Value, width: str) -> Value:
    """One number or condition in every lane of a vector, where a vector is wanted."""
    if width == FLOAT:
        return value
    return f.splat(value) if value.kind == FLOAT else _condition(f, f.splat(_number(f, value)))


def _number(f: Function, value: Value, width: str = FLOAT) -> Value:
    """A condition as 1 or 0, and a number as it is."""
    if "float" in value.kind:
        return value
    one, zero = (_spread(f, f.real(number), width) for number in (1, 0))
    return f.choose(value, one, zero)


def _condition(f: Function, value: Value) -> Value:
    """A number as whether it is not 0, and a condition as it is."""
    return f.test("une", value, _all(f, 0, value)) if "float" in value.kind else value
