"""Programs as mathematics: SymPy expressions entry by entry, and TeX from the table's templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..errors import ProgramError, require
from ..primitive import TABLE
from .listing import Instruction, Listing, Slot, value_text
from .program import Program
from .traced import replaced

_LARGEST = 4096


def to_sympy(program: Program, symbols: Any = None) -> Any:
    """The outputs as SymPy expressions: a number each, or an object array of them by entry.

    Inputs become real symbols x0, x1, … (an entry of an array x0_1_2); `symbols` gives others: a
    sequence of names, or of SymPy expressions in the inputs' shapes. Needs SymPy, extra `symbolic`.

    >>> import autograd_cnn as ag
    >>> program = ag.trace(lambda x: ag.exp(x) * x)(ag.tensor(1.0))
    >>> program.grad().simplify().to_sympy(["x"])                   # doctest: +SKIP
    x*exp(x) + exp(x)

    Raises ProgramError for a primitive that has no symbolic form.
    """
    sympy = require("sympy", "symbolic")
    listing = program.listing
    held: dict[Slot, Any] = {}
    for number, slot in enumerate(listing.inputs):
        given = symbols[number] if symbols is not None else f"x{number}"
        held[slot] = _symbols(sympy, given, listing.types[slot].shape)
    for slot, array in listing.constants.items():
        held[slot] = _mapped(lambda value: _number(sympy, value), np.asarray(array))
    for step in listing.instructions:
        _run_symbolically(sympy, step, held)
    values = [held[o] if isinstance(o, Slot) else o for o in listing.outputs]
    return tree.map_leaves(
        lambda leaf: _scalar(values[leaf.number]) if hasattr(leaf, "number") else leaf,
        program.result,
    )


def latex(program: Program, names: Sequence[str] | None = None) -> str:
    """The program as TeX, from the templates of the table.

    Inputs are called x_0, x_1, … unless `names` are given. A value that is used more than once gets
    a line of its own.

    >>> import autograd_cnn as ag
    >>> print(ag.trace(lambda x, y: ag.exp(x) + y)(1.0, 2.0).latex(["x", "y"]))
    e^{x} + y
    """
    listing = program.listing
    terms: dict[Any, _Term] = {
        slot: _Term(names[number] if names is not None else f"x_{{{number}}}")
        for number, slot in enumerate(listing.inputs)
    }
    for number, (slot, array) in enumerate(listing.constants.items()):
        terms[slot] = _Term(_number_text(array) if array.size == 1 else f"c_{{{number}}}")
    uses = _uses(listing)
    lines: list[str] = []
    for step in listing.instructions:
        for place, slot in enumerate(step.outputs):
            terms[slot] = _term(step, terms) if not place else _Term(f"s_{{{slot.number}}}")
            if uses.get(slot, 0) > 1 and not terms[slot].atom:
                lines.append(f"h_{{{slot.number}}} &= {terms[slot].text}")
                terms[slot] = _Term(f"h_{{{slot.number}}}")
    results = [terms[o].text if isinstance(o, Slot) else value_text(o) for o in listing.outputs]
    if not lines:
        return ", \\quad ".join(results)
    lines += [f"y_{{{number}}} &= {text}" for number, text in enumerate(results)]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


# SymPy


def _run_symbolically(sympy: Any, step: Instruction, held: dict[Slot, Any]) -> None:
    put = lambda leaf: held[leaf] if isinstance(leaf, Slot) else leaf
    operands = [replaced(put, operand) for operand in step.operands]
    operands = [
        _number(sympy, o) if isinstance(o, (int, float, np.generic)) else o for o in operands
    ]
    entrywise, whole = _ENTRYWISE.get(step.name), _WHOLE.get(step.name)
    if step.kind not in ("primitive", "kernel") or (entrywise is None and whole is None):
        raise ProgramError(f"{step.name} has no symbolic form here; it was recorded at {step.line}")
    if entrywise is not None:
        function = np.frompyfunc(lambda *values: entrywise(sympy, *values), len(operands), 1)
        answer = function(*operands)
    else:
        answer = whole(*operands, **replaced(put, step.attributes))
    held[step.outputs[0]] = answer
    size = np.asarray(answer, object).size
    if size > _LARGEST:
        raise ProgramError(f"{step.name} has {size} entries: symbolic forms are for small programs")


def _step(sympy: Any, x: Any) -> Any:
    return sympy.Heaviside(x, 0)


_ENTRYWISE: dict[str, Callable] = {
    "identity": lambda sympy, x: x,
    "add": lambda sympy, x, y: x + y,
    "subtract": lambda sympy, x, y: x - y,
    "multiply": lambda sympy, x, y: x * y,
    "divide": lambda sympy, x, y: x / y,
    "negative": lambda sympy, x: -x,
    "power": lambda sympy, x, y: x**y,
    "square": lambda sympy, x: x**2,
    "exp": lambda sympy, x: sympy.exp(x),
    "expm1": lambda sympy, x: sympy.exp(x) - 1,
    "log": lambda sympy, x: sympy.log(x),
    "log1p": lambda sympy, x: sympy.log(1 + x),
    "sqrt": lambda sympy, x: sympy.sqrt(x),
    "sin": lambda sympy, x: sympy.sin(x),
    "cos": lambda sympy, x: sympy.cos(x),
    "tanh": lambda sympy, x: sympy.tanh(x),
    "erf": lambda sympy, x: sympy.erf(x),
    "sigmoid": lambda sympy, x: 1 / (1 + sympy.exp(-x)),
    "softplus": lambda sympy, x: sympy.log(1 + sympy.exp(x)),
    "relu": lambda sympy, x: sympy.Max(0, x),
    "step": _step,
    "sign": lambda sympy, x: sympy.sign(x),
    "abs": lambda sympy, x: sympy.Abs(x),
    "maximum": lambda sympy, x, y: sympy.Max(x, y),
    "minimum": lambda sympy, x, y: sympy.Min(x, y),
}


def _sum_to(x: Any, shape: tuple[int, ...]) -> Any:
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1
    )
    return np.asarray(np.sum(x, axis=axes, keepdims=True), object).reshape(shape)


def _linear(x: Any, w: Any, b: Any = None) -> Any:
    product = np.dot(np.asarray(x, object), np.asarray(w, object).T)
    return product if b is None else product + b


_WHOLE: dict[str, Callable] = {
    "sum": lambda x, axes, keepdims: np.sum(np.asarray(x, object), axis=axes, keepdims=keepdims),
    "mean": lambda x, axes, keepdims: (
        np.sum(np.asarray(x, object), axis=axes, keepdims=keepdims)
        / int(np.prod([np.shape(x)[axis] for axis in axes]))
    ),
    "sum_to": lambda x, shape: _sum_to(np.asarray(x, object), shape),
    "reshape": lambda x, shape: np.asarray(x, object).reshape(shape),
    "transpose": lambda x, axes: np.asarray(x, object).transpose(axes),
    "broadcast_to": lambda x, shape: np.broadcast_to(np.asarray(x, object), shape),
    "getitem": lambda x, index: np.asarray(x, object)[index],
    "concatenate": lambda *x, axis: np.concatenate([np.asarray(v, object) for v in x], axis),
    "matmul": lambda x, y: np.dot(np.asarray(x, object), np.asarray(y, object)),
    "linear": _linear,
    "astype": lambda x, dtype: x,
}


def _symbols(sympy: Any, given: Any, shape: tuple[int, ...]) -> Any:
    """A symbol for each entry of an input; given expressions as they are."""
    if not isinstance(given, str):
        return np.asarray(given, object).reshape(shape) if shape else given
    if not shape:
        return sympy.Symbol(given, real=True)
    entries = [
        sympy.Symbol("_".join([given, *map(str, place)]), real=True) for place in np.ndindex(*shape)
    ]
    array = np.empty(len(entries), object)
    array[:] = entries
    return array.reshape(shape)


def _number(sympy: Any, value: Any) -> Any:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, float) and number.is_integer():
        return sympy.Integer(int(number))
    return sympy.sympify(number)


def _mapped(function: Callable, array: Any) -> Any:
    result = np.empty(array.size, object)
    result[:] = [function(value) for value in array.ravel()]
    return _scalar(result.reshape(array.shape))


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) and not value.ndim else value


# TeX


class _Term:
    """A piece of TeX; `atom` where it needs no parentheses inside a larger formula."""

    __slots__ = ("atom", "text")

    def __init__(self, text: str, atom: bool = True) -> None:
        self.text, self.atom = text, atom


# primitives whose operands stand between delimiters of their own, so that none needs parentheses
_ENCLOSING = {"exp", "expm1", "divide", "sqrt", "abs", "maximum", "minimum", "relu", "sigmoid",
              "softplus", "log1p", "erf", "sign", "softmax", "step"}  # fmt: skip
_LOOSE = {"add", "subtract", "negative", "expm1", "multiply", "conv", "linear", "log", "sin", "cos",
          "tanh", "sum"}  # fmt: skip


def _term(step: Instruction, terms: dict[Any, _Term]) -> _Term:
    primitive = TABLE.get(step.name)
    parts = [terms[o] if isinstance(o, Slot) else _literal(o) for o in step.operands]
    if step.name in ("identity", "broadcast_to", "reshape", "sum_to", "astype"):
        return parts[0]
    if primitive is None or primitive.tex is None or primitive.variadic:
        name = step.name.replace("_", r"\_")
        inner = ", ".join(part.text for part in parts)
        return _Term(rf"\mathrm{{{name}}}\!\left({inner}\right)")
    texts = {
        name: part.text if part.atom or step.name in _ENCLOSING or (
            step.name == "add" or (step.name == "subtract" and name == "x")
        ) else rf"\left({part.text}\right)"
        for name, part in zip(primitive.inputs, parts, strict=False)
    }  # fmt: skip
    if step.name == "power" and not parts[0].text.isalnum() and parts[0].atom:
        texts["x"] = rf"\left({parts[0].text}\right)"
    text = primitive.tex.format(**{name: "0" for name in primitive.inputs} | texts)
    return _Term(text, step.name not in _LOOSE)


def _literal(value: Any) -> _Term:
    text = _number_text(value) if isinstance(value, (int, float, np.generic)) else value_text(value)
    return _Term(text, not text.startswith("-"))


def _number_text(value: Any) -> str:
    number = np.asarray(value).item()
    if isinstance(number, float) and number.is_integer():
        return str(int(number))
    text = f"{number:.6g}" if isinstance(number, float) else str(number)
    mantissa, e, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else text


def _uses(listing: Listing) -> dict[Slot, int]:
    count: dict[Slot, int] = {}
    for step in listing.instructions:
        for slot in step.reads:
            count[slot] = count.get(slot, 0) + 1
    return count
