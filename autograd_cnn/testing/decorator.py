"""`gradcheck`: a function with drawn arguments becomes a test of its gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from ..errors import require
from .checker import held


def gradcheck(
    function: Callable[..., Any] | None = None, *, order: int = 2,
    laws: Iterable[int] | None = None, seed: int = 0, max_examples: int | None = None,
    **arguments: Any,
) -> Any:  # fmt: skip
    """Turn a function into a test that holds its gradients to the laws, at arguments drawn for it.

    `arguments` gives each parameter a Hypothesis strategy or a fixed value. Parameters without one
    are tensors of any layout whose shapes broadcast together. What fails is shrunk by Hypothesis.
    `max_examples` is the number of draws (that of the Hypothesis profile when None); `order`,
    `laws` and `seed` are those of `check`.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn.testing import gradcheck, strategies
    >>> @gradcheck(x=strategies.tensors((2, 3)), laws=[2, 3], max_examples=5)
    ... def test_softmax(x, axis=1):
    ...     return ag.softmax(x, axis)
    >>> test_softmax()

    The test raises GradientError as `check` does; TypeError for an argument that the function does
    not have. Needs the extra "testing".
    """
    if function is None:
        return lambda f: gradcheck(f, order=order, laws=laws, seed=seed,
                                   max_examples=max_examples, **arguments)  # fmt: skip
    hypothesis = require("hypothesis", "testing")
    names = list(inspect.signature(function).parameters)
    unknown = set(arguments) - set(names)
    if unknown:
        raise TypeError(f"{function.__name__} has no argument {', '.join(sorted(unknown))}: its "
                        f"arguments are {', '.join(names)}")  # fmt: skip
    strategy = _calls(hypothesis.strategies, function, arguments)
    chosen = None if laws is None else tuple(laws)

    @wraps(function)
    def test(call: dict[str, Any]) -> None:
        held(function, tuple(call.values()), {}, order, chosen, seed)

    test.__signature__ = inspect.Signature([  # type: ignore[attr-defined]
        inspect.Parameter("call", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    ])  # fmt: skip
    del test.__wrapped__  # or Hypothesis would look for the arguments of the function itself
    limits = {"deadline": None} | ({"max_examples": max_examples} if max_examples else {})
    return hypothesis.settings(**limits)(hypothesis.given(call=strategy)(test))


def _calls(st: Any, function: Callable, arguments: dict[str, Any]) -> Any:
    """A strategy of all arguments of one call, by name in the order of the parameters."""
    from .strategies import arrays, broadcastable

    parameters = inspect.signature(function).parameters.values()
    free = [p.name for p in parameters if p.name not in arguments and p.default is p.empty]

    @st.composite
    def call(draw: Any) -> dict[str, Any]:
        shapes = draw(broadcastable(len(free))) if free else ()
        drawn = {name: draw(arrays(shape)) for name, shape in zip(free, shapes, strict=True)}
        for name, value in arguments.items():
            drawn[name] = draw(value) if hasattr(value, "filter") else value
        names = inspect.signature(function).parameters
        return {name: drawn.get(name, names[name].default) for name in names}

    return call()
