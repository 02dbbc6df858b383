"""Other backward rules for a recorded tape: named sets, and the context that puts them in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .errors import RuleError
from .primitive import TABLE, Rule
from .tape import changed, current

RULE_SETS: dict[str, dict[str, Any]] = {}


def register_rule(name: str, rules: Mapping[str, Any]) -> None:
    """Name a set of backward rules, for `override`.

    `rules` maps a primitive's name to a formula (for its first input) or to {input: formula}.

    >>> import autograd_cnn as ag
    >>> ag.register_rule("straight_through", {"sign": lambda g: g})
    >>> x = ag.tensor([0.3, -2.0], requires_grad=True)
    >>> with ag.override("straight_through"):
    ...     ag.gradients(ag.sum(ag.sign(x)), x).numpy().tolist()
    [1.0, 1.0]
    """
    RULE_SETS[name] = {target: _as_rules(target, rule) for target, rule in rules.items()}


@contextmanager
def override(rules: str | Mapping[str, Any] | None = None, /, **named: str) -> Iterator[None]:
    """Go backward under other rules inside the block; the tape stays as it was recorded.

    `override(relu="guided")` takes one primitive's rule from a registered set,
    `override("guided")` takes the whole set, and `override({"relu": formula})` gives formulas
    directly. Built-in sets: "guided" (Springenberg et al. 2015), "deconvnet" (Zeiler and Fergus
    2014) and "redirected" (Olah et al. 2017).

    >>> import autograd_cnn as ag
    >>> x = ag.tensor([1.0, 2.0], requires_grad=True)
    >>> y = ag.sum(ag.relu(x) * ag.tensor([3.0, -3.0]))
    >>> with ag.override(relu="guided"):
    ...     ag.gradients(y, x).numpy().tolist()
    [3.0, 0.0]

    A rule that reads a value the tape did not keep raises TapeError when going backward; record
    under the same override and it is kept. Raises RuleError for names that are not known.
    """
    chosen: dict[str, Any] = {}
    if isinstance(rules, str):
        chosen |= _rule_set(rules)
    elif rules is not None:
        chosen |= {target: _as_rules(target, rule) for target, rule in rules.items()}
    for target, name in named.items():
        available = _rule_set(name)
        if target not in available:
            raise RuleError(f'"{name}" has no rule for {target}, only for {sorted(available)}')
        chosen[target] = available[target]
    with changed(rules={**current().rules, **chosen}):
        yield


def _rule_set(name: str) -> dict[str, Any]:
    if name not in RULE_SETS:
        raise RuleError(f'no rules are named "{name}"; registered: {sorted(RULE_SETS)}')
    return RULE_SETS[name]


def _as_rules(target: str, rule: Any) -> dict[str, Rule]:
    """One formula, or {input: formula}, as {input: Rule}."""
    formulas = rule if isinstance(rule, Mapping) else {None: rule}
    inputs = TABLE[target].inputs if target in TABLE else None
    result = {}
    for name, formula in formulas.items():
        key = name or (inputs[0] if inputs else "x")
        if inputs is not None and key not in inputs:
            raise RuleError(f"{target} has inputs {inputs}, none is named {key}")
        result[key] = formula if isinstance(formula, Rule) else Rule(formula)
    return result
