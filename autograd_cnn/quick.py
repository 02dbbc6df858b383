"""Small operations on one or two tensors: what `Primitive.apply` does, in one flat function.

NumPy adds eight numbers in a third of a microsecond, and the general way around it takes three.
Whatever is unusual (a raw operand, another device, rules, observers, a checkpoint, an error) goes
the general way, which says what is right; this one only says it sooner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy import asarray, ndarray

from .kernels import cpu_provider
from .tape import Node, current
from .tensor import Tensor

if TYPE_CHECKING:
    from .primitive import Primitive


def unrolled(primitive: Primitive) -> Callable[..., Any]:
    """A primitive as a function, flat where it takes one or two tensors and gives one answer."""
    name, make, differentiable = str(primitive.kernel), Tensor._make, primitive.differentiable

    def unary(x: Any, /, **attributes: Any) -> Any:
        if type(x) is ndarray:
            return getattr(cpu_provider(), name)(x, **attributes)
        context = current()
        if type(x) is not Tensor or not context.plain or type(a := x._data) is not ndarray:
            return primitive(x, **attributes)
        parent, tracked = x._node, context.recording and x._tracked and differentiable
        if tracked and parent is None:
            return primitive(x, **attributes)
        ans = getattr(cpu_provider(), name)(a, **attributes)
        if type(ans) is not ndarray:
            ans = asarray(ans)
        if not tracked:
            return make(ans, None)
        plan = primitive.plans.get((1, 1)) or primitive.plan(1, 1)
        kept = plan.keep((ans, a))
        if plan.shapes:
            kept += (a.shape,)
        return make(ans, Node(primitive, (parent,), attributes, plan, kept, ans, context.scope))

    def binary(x: Any, y: Any, /, **attributes: Any) -> Any:
        context = current()
        if type(x) is not Tensor or type(y) is not Tensor or not context.plain:
            return primitive(x, y, **attributes)
        a, b, parents = x._data, y._data, (x._node, y._node)
        mask = context.recording and (x._tracked | y._tracked << 1) & differentiable
        if not type(a) is type(b) is ndarray or (mask and None in parents):
            return primitive(x, y, **attributes)
        try:
            ans = getattr(cpu_provider(), name)(a, b, **attributes)
        except ValueError:
            return primitive(x, y, **attributes)  # it says what is wrong
        if type(ans) is not ndarray:
            ans = asarray(ans)
        if not mask:
            return make(ans, None)
        plan = primitive.plans.get((mask, 2)) or primitive.plan(mask, 2)
        kept = plan.keep((ans, a, b))
        if plan.shapes:
            kept += primitive.shapes_of(plan, (a, b))
        return make(ans, Node(primitive, parents, attributes, plan, kept, ans, context.scope))

    flat = not (primitive.variadic or primitive.extras or primitive.function)
    return {1: unary, 2: binary}.get(len(primitive.inputs) * flat, primitive)
