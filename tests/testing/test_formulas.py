"""Every gradient formula of the table calls public operations, primitives and helpers of `ops`.

That is what makes gradients of every order come for free: an array function inside a formula would
leave the tape. Formulas are read as code objects, so what they name is seen without running them.
"""

import builtins
import math
from types import CodeType, FunctionType, ModuleType

import numpy as np
import pytest

import autograd_cnn as ag
from autograd_cnn.primitive import Primitive, fused
from autograd_cnn.rules import RULE_SETS

HARMLESS = {
    "bool", "dict", "enumerate", "float", "int", "isinstance", "len", "list", "max", "min", "range",
    "set", "slice", "sorted", "sum", "tuple", "zip", "ValueError",
}  # fmt: skip

CONSTANTS = {"_overwritten", "_written", "_minors", "_is_nearly_singular"}
"""Helpers that make a mask with the array module: it depends on the index, never on a value.

`_minors` makes such an index; `_is_nearly_singular` chooses between two formulas of one value."""


def names_in(code: CodeType) -> set[str]:
    found = set(code.co_names) | set(code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= names_in(constant)
    return found


def violations(function, path="", seen=None) -> list[str]:
    """What a formula names that it may not, as `formula → helper: name`."""
    seen = set() if seen is None else seen
    if function in seen or function.__name__ in CONSTANTS:
        return []
    seen.add(function)
    where = f"{path} → {function.__name__}" if path else function.__name__
    found = []
    for name in sorted(names_in(function.__code__)):
        value = function.__globals__.get(name, getattr(builtins, name, None))
        if name in ("_data", "numpy", "detach", "item", "no_grad", "__array__"):
            found.append(f"{where}: {name}")
        elif name in function.__globals__:
            found += _of_value(name, value, where, seen)
        elif hasattr(builtins, name) and not hasattr(ag.Tensor, name) and name not in HARMLESS:
            found.append(f"{where}: {name}")
    return found


def _of_value(name, value, where, seen) -> list[str]:
    public = value is getattr(ag.ops, getattr(value, "__name__", ""), None)
    if isinstance(value, (Primitive, type)) or value is math.prod or public:
        return []
    if isinstance(value, fused):
        return violations(value.decomposition, where, seen)
    if isinstance(value, FunctionType) and value.__module__.startswith("autograd_cnn.ops"):
        return violations(value, where, seen)
    if isinstance(value, (ModuleType, FunctionType)) or callable(value):
        return [f"{where}: {name}"]
    return []


FORMULAS = {
    f"{primitive.name}.{name}": rule.formula
    for primitive in ag.TABLE.values()
    for name, rule in primitive.rules.items()
    if rule is not None
} | {
    f"{target}.{name} ({rules})": rule.formula
    for rules, targets in RULE_SETS.items()
    if rules in ("guided", "deconvnet", "redirected")
    for target, formulas in targets.items()
    for name, rule in formulas.items()
}


def test_every_formula_calls_public_operations_only():
    assert len(FORMULAS) > 80
    found = {name: bad for name, formula in FORMULAS.items() if (bad := violations(formula))}
    assert found == {}


def _helper(g):
    return np.exp(g)


@pytest.mark.parametrize(
    "formula, name",
    [
        (lambda g, x: g * np.cos(x), "np"),
        (lambda g, x: g * x._data, "_data"),
        (lambda g, x: [g * np.sin(v) for v in x], "np"),
        (lambda g, x: g * x.detach(), "detach"),
        (lambda g: _helper(g), "_helper"),
        (lambda g, x: g * open(x), "open"),
    ],
    ids=["numpy", "data", "inside a comprehension", "detach", "a helper from elsewhere", "builtin"],
)
def test_the_inspection_can_fail(formula, name):
    assert any(text.endswith(f": {name}") for text in violations(formula))
