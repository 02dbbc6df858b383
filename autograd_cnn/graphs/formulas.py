"""What an operation computes and what its backward rules say, as text a reader can follow.

The text of a rule is the formula that runs: its docstring, or the expression of its lambda.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .. import ops
from ..primitive import TABLE, Primitive, Rule

PLAIN = {
    "conv_input_grad": "each entry of g spread back through the filter (turned by 180°)",
    "conv_weight_grad": "for each tap, the sum of g times the input that the tap saw",
    "pool_scatter": "each entry of g goes to the place of its window's maximum, 0 elsewhere",
    "pool_gather": "the entries at the places of the maxima",
    "avg_pool_grad": "each entry of g shared out evenly over its window",
    "broadcast_to": "g, repeated over the axes that were summed",
    "sum_to": "g, summed over the axes that were repeated",
}
_COMMANDS = {
    r"\sigma": "σ", r"\sum": "Σ", r"\lVert": "‖", r"\rVert": "‖", r"\,": "·", r"\det": "det",
    r"\cdot": "·",
}  # fmt: skip
_RAISED = str.maketrans("0123456789-+xynT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ˣʸⁿᵀ")


def describe(primitive: Primitive) -> dict[str, Any]:
    """The words of one primitive: `about`, `forward`, and [input, gradient, in plain words] rows.

    >>> from autograd_cnn.graphs.formulas import describe
    >>> from autograd_cnn.primitive import TABLE
    >>> describe(TABLE["relu"])["forward"], describe(TABLE["relu"])["gradients"]
    ('max(0, x)', [('x', 'g·step(ans)', '')])
    """
    return {
        "about": _about(primitive.name),
        "forward": _plain_tex(primitive) if primitive.tex else "",
        "gradients": [
            (name, *_rule_text(rule)) for name, rule in primitive.rules.items() if rule is not None
        ],
    }


def primitive_of(name: str) -> Primitive | None:
    """The primitive behind a name on a card: `conv2d` is `conv`; None for what is not known."""
    stem = re.sub(r"(?<=[a-z])[123]d(?=$|_)", "", name)
    stem = {"conv_transpose": "conv_input_grad"}.get(stem, stem)
    for candidate in (name, stem, f"{stem}_inference"):
        if candidate in TABLE:
            return TABLE[candidate]
    return None


def _about(name: str) -> str:
    """The first sentence of the public operation, and its formula if it has one."""
    found = (getattr(ops, candidate, None) for candidate in (name, f"{name}2d"))
    operation = next((thing for thing in found if inspect.isfunction(thing)), None)
    text = " ".join((inspect.getdoc(operation) or "").split()) if operation else ""
    first = re.split(r"(?<=\.) (?=[A-Z>`])", text, maxsplit=1)[0].replace("`", "")
    formula = re.search(r"Formula: (.*?)[.;](?= |$)", text)
    return f"{first} {formula[1]}." if formula else first


def _plain_tex(primitive: Primitive) -> str:
    """The LaTeX template filled with the names of the inputs, as one line of plain text."""
    text = str(primitive.tex).format(**{name: name for name in primitive.inputs})
    for command, sign in _COMMANDS.items():
        text = text.replace(command, sign)
    text = re.sub(r"\\mathrm\{(\w+)\}", r"\1", text)
    text = re.sub(r"\\frac\{(\w+)\}\{(\w+)\}", r"\1/\2", text)
    text = re.sub(r"\\sqrt\{(\w+)\}", r"√\1", text)
    text = re.sub(r"\\(\w+)", r"\1", text)
    text = re.sub(r"\^\{([^{}]+)\}|\^(\w)", lambda m: (m[1] or m[2]).translate(_RAISED), text)
    text = text.replace("{", "").replace("}", "").replace(" · ", "·").replace(" * ", " ∗ ")
    return text.replace("-", "−")


def _rule_text(rule: Rule) -> tuple[str, str]:
    """A rule's formula and, where it is one call of a helper, what that does in words."""
    formula = rule.formula
    if getattr(formula, "__name__", "") != "<lambda>":
        return _followed(formula) or _what_it_reads(rule), ""
    body = _lambda_body(formula)
    if body is None:
        return _what_it_reads(rule), ""
    called = body.func.id if isinstance(body, ast.Call) and isinstance(body.func, ast.Name) else ""
    helper = formula.__globals__.get(called)
    public = inspect.isfunction(helper) and not called.startswith("_")
    words = PLAIN.get(called.strip("_"), "") or ("" if public else _first_line(helper))
    return _unparse(body), words


def _what_it_reads(rule: Rule) -> str:
    return "a function of " + ", ".join(("g", *rule.reads))


def _followed(formula: Any) -> str:
    """A named formula's first line, or the one of the helper that it refers to."""
    line = _first_line(formula)
    helper = re.fullmatch(r"See `(\w+)`\.", line)
    return _first_line(formula.__globals__.get(helper[1])) if helper else line


def _first_line(thing: Any) -> str:
    """The first line of a docstring of the thing's own."""
    own = getattr(thing, "__dict__", {}).get("__doc__") or (
        thing.__doc__ if inspect.isfunction(thing) else None
    )
    return own.strip().splitlines()[0] if own and own.strip() else ""


def _lambda_body(formula: Callable) -> ast.expr | None:
    """The expression of a lambda in its source; None where there is no source."""
    code = formula.__code__
    columns = [place[2] for place in code.co_positions() if place[2]]
    names = list(code.co_varnames[: code.co_argcount])
    found = [
        node
        for node in _lambdas(code.co_filename)
        if node.lineno == code.co_firstlineno and [a.arg for a in node.args.args] == names
    ]
    if len(found) > 1:
        found = [n for n in found if n.body.col_offset in columns]
    return found[0].body if found else None


@lru_cache(maxsize=64)
def _lambdas(filename: str) -> tuple[ast.Lambda, ...]:
    try:
        with open(filename, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.Lambda))


class _Quiet(ast.NodeTransformer):
    """Drops `spec=spec`, which tells a reader nothing, and the underscores of private helpers."""

    def visit_Call(self, node: ast.Call) -> Any:
        node = ast.Call(node.func, node.args, [
            k for k in node.keywords if not (isinstance(k.value, ast.Name) and k.value.id == k.arg)
        ])  # fmt: skip
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        return ast.Name(node.id.strip("_") or node.id, node.ctx)


def _unparse(body: ast.expr) -> str:
    text = ast.unparse(_Quiet().visit(ast.parse(ast.unparse(body), mode="eval").body))
    return text.replace(" * ", "·").replace(" ** ", "^").replace("-", "−")
