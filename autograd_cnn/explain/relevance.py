"""Layer-wise relevance propagation: the score itself is shared out, layer by layer.

What goes back is not a gradient g but relevance R, and an operation's rule says how its output's
relevance is divided among its inputs. The rules are a rule set like any other, so the tape of an
ordinary forward pass serves them too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..errors import RuleError
from ..primitive import TABLE
from ..tensor import Tensor
from .gradient import GradientMethod
from .layers import Layer
from .record import Recording, record
from .tapes import between
from .target import Target


class LRP(GradientMethod):
    """Layer-wise relevance propagation (Bach et al. 2015).

    An output z_j = Σ_i x_i·w_ij + b_j hands its relevance to its inputs by their contributions:

        ε:    R_i = Σ_j x_i·w_ij / (z_j + ε·sign z_j) · R_j
        αβ:   R_i = Σ_j (α·(x_i·w_ij)⁺/z_j⁺ − β·(x_i·w_ij)⁻/z_j⁻) · R_j,   α − β = 1

    with z⁺ and z⁻ the sums of the positive and of the negative contributions, the bias among them;
    where all contributions are of one sign they take everything.
    Activation functions pass relevance on as it is, max-pooling gives it to the winner. Without
    biases and with ε → 0 the relevances sum to the score, and in a network of ReLUs the ε rule is
    then input×gradient. `rule` is "epsilon" or "alpha-beta".

    >>> import autograd_cnn as ag
    >>> model = lambda x: ag.relu(x @ ag.tensor([[1.0, 0.0], [2.0, -1.0]]))
    >>> explain = ag.explain.LRP(model, epsilon=0.0)
    >>> explain.attribute(ag.tensor([[1.0, 2.0]]), target=0).tolist()
    [[1.0, 4.0]]

    Raises ValueError for α − β ≠ 1 or ε < 0, RuleError for an operation that no rule is known for.
    """

    def __init__(
        self,
        model: Callable,
        rule: str = "epsilon",
        epsilon: float = 1e-6,
        alpha: float = 2.0,
        beta: float = 1.0,
        reduce: str | None = None,
        layer: Layer = None,
        max_bytes: int | None = None,
    ) -> None:
        super().__init__(model, "logit", reduce, layer, max_bytes)
        if rule not in ("epsilon", "alpha-beta"):
            raise ValueError(f'rule "{rule}" is not one of epsilon, alpha-beta')
        self.rules = epsilon_rules(epsilon) if rule == "epsilon" else alpha_beta_rules(alpha, beta)

    def _attribute(self, x: Tensor, target: Target) -> Tensor:
        tape = record(self.model, x, target, rules=self.rules)
        return self.reduced(self.from_tape(tape))

    def from_tape(self, tape: Recording) -> Tensor:
        """The relevances, read from a pass that was recorded with these rules."""
        _check(tape, self.layer)
        return tape.going_back(tape.score.detach(), self.rules, self.layer)


def epsilon_rules(epsilon: float = 1e-6) -> dict[str, Any]:
    """The ε rule for every operation, as a rule set for `ag.override`."""
    if not epsilon >= 0:
        raise ValueError(f"ε must be ≥ 0, got {epsilon}")
    return _rules(_Epsilon(epsilon))


def alpha_beta_rules(alpha: float = 2.0, beta: float = 1.0) -> dict[str, Any]:
    """The αβ rule for every operation, as a rule set for `ag.override`."""
    if abs(alpha - beta - 1.0) > 1e-12 or beta < 0:
        raise ValueError(f"α − β must be 1 and β ≥ 0: {alpha:g} − {beta:g} = {alpha - beta:g}")
    return _rules(_AlphaBeta(alpha, beta))


class _Epsilon:
    """Shares in proportion to the contributions, with a denominator kept away from 0."""

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon

    def weighted(self, g: Any, x: Any, w: Any, b: Any, forward: Any, back: Any) -> Any:
        z = forward(x, w) if b is None else forward(x, w) + b
        return x * back(_over(g, z, self.epsilon), w)

    def summed(self, g: Any, x: Any, forward: Any, back: Any) -> Any:
        return x * back(_over(g, forward(x), self.epsilon))

    def added(self, g: Any, part: Any, rest: Any) -> Any:
        return part * _over(g, part + rest, self.epsilon)


class _AlphaBeta:
    """Shares positive and negative contributions out apart, with weights α and −β.

    Where all are of one sign they take everything, so that relevance is conserved there too.
    """

    def __init__(self, alpha: float, beta: float) -> None:
        self.alpha, self.beta = alpha, beta

    def weighted(self, g: Any, x: Any, w: Any, b: Any, forward: Any, back: Any) -> Any:
        (xp, xn), (wp, wn) = _parts(x), _parts(w)
        bp, bn = (0.0, 0.0) if b is None else _parts(b)
        up, down = self._over(
            g, forward(xp, wp) + forward(xn, wn) + bp, forward(xp, wn) + forward(xn, wp) + bn
        )
        return xp * (back(up, wp) + back(down, wn)) + xn * (back(up, wn) + back(down, wp))

    def summed(self, g: Any, x: Any, forward: Any, back: Any) -> Any:
        xp, xn = _parts(x)
        up, down = self._over(g, forward(xp), forward(xn))
        return xp * back(up) + xn * back(down)

    def added(self, g: Any, part: Any, rest: Any) -> Any:
        (pp, pn), (rp, rn) = _parts(part), _parts(rest)
        up, down = self._over(g, pp + rp, pn + rn)
        return pp * up + pn * down

    def _over(self, g: Any, raising: Any, lowering: Any) -> tuple[Any, Any]:
        """α·g/z⁺ and −β·g/z⁻; g/z where the other is missing."""
        up, down = _over(g, raising), _over(g, lowering)
        alone_up = ops.compare("equal", lowering, 0.0)
        alone_down = ops.compare("equal", raising, 0.0)
        return (
            up * ops.where(alone_up, 1.0, self.alpha),
            down * ops.where(alone_down, 1.0, -self.beta),
        )


def _rules(share: Any) -> dict[str, Any]:
    """One rule an operation, with the names of its kernel's parameters."""

    def conv(g, x, w, b, spec):
        bias = None if b is None else ops.reshape(b, (-1, *(1,) * spec.ndim))
        return share.weighted(
            g, x, w, bias,
            lambda x, w: TABLE["conv"](x, w, None, spec=spec),
            lambda g, w: TABLE["conv_input_grad"](g, w, spec=spec, size=x.shape[2:]),
        )  # fmt: skip

    def linear(g, x, w, b):
        return share.weighted(
            g, x, w, b,
            lambda x, w: ops.matmul(x, ops.swapaxes(w, 0, 1)),
            lambda g, w: ops.matmul(g, w),
        )  # fmt: skip

    def matmul(g, x, y):
        return share.weighted(
            g, x, y, None, ops.matmul, lambda g, w: ops.matmul(g, ops.swapaxes(w, -1, -2))
        )

    def avg_pool(g, x, spec, count_include_pad):
        kwargs = {"spec": spec, "count_include_pad": count_include_pad}
        return share.summed(
            g, x,
            lambda x: TABLE["avg_pool"](x, **kwargs),
            lambda g: TABLE["avg_pool_grad"](g, size=x.shape[2:], **kwargs),
        )  # fmt: skip

    def total(g, x, axes, keepdims):
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(x.shape))
        return share.summed(
            ops.reshape(g, kept), x,
            lambda x: ops.sum(x, axes, True),
            lambda g: ops.broadcast_to(g, x.shape),
        )  # fmt: skip

    def batch_norm(g, x, mean, var, weight, bias, shape, eps):
        scale = (var + eps) ** -0.5
        scale = scale if weight is None else scale * weight
        shift = -mean * scale if bias is None else bias - mean * scale
        return share.added(g, x * ops.reshape(scale, shape), ops.reshape(shift, shape))

    def layer_norm(g, x, ans, weight, inverse_std, axes, shape):
        back = _over(g, ans, 1e-6) * inverse_std
        back = back if weight is None else back * ops.reshape(weight, shape)
        return x * (back - ops.mean(back, axes, True))

    rules = {
        "conv": {"x": conv}, "linear": {"x": linear}, "matmul": {"x": matmul},
        "avg_pool": {"x": avg_pool}, "mean": {"x": total}, "sum": {"x": total},
        "batch_norm_inference": {"x": batch_norm}, "layer_norm": {"x": layer_norm},
        "add": {
            "x": lambda g, x, y: share.added(g, x, y),
            "y": lambda g, x, y: share.added(g, y, x),
        },
        "subtract": {
            "x": lambda g, x, y: share.added(g, x, -y),
            "y": lambda g, x, y: share.added(g, -y, x),
        },
        "multiply": {"x": lambda g: g, "y": lambda g: g},
    }  # fmt: skip
    return rules | {name: {"x": lambda g: g} for name in _PASSING}


_PASSING = (
    "relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus", "gelu", "hardtanh", "clip",
    "negative", "divide", "local_response_norm", "dropout",
)  # fmt: skip
_MOVING = ("max_pool", "max", "pool_gather", "pool_scatter", "concatenate", "adaptive_max_pool")
_SHARING = ("add", "subtract", "concatenate")


def _check(tape: Recording, layer: Layer) -> None:
    """RuleError for an operation on the way whose relevance would not be shared out."""
    known = {*_rules(_Epsilon(0.0)), *_MOVING}
    path = between(tape.output(layer), tape.score)
    for node in path[1:]:
        inside = sum(parent in set(path) for parent in node.parents)
        if node.name not in known and node.primitive.family != "shape":
            raise RuleError(f"LRP has no rule for {node.name} (recorded at {node.line})")
        if inside > 1 and node.name not in _SHARING:
            raise RuleError(
                f"LRP cannot share out {node.name} of two parts that both depend on the input "
                f"(recorded at {node.line})"
            )


def _over(g: Any, z: Any, epsilon: float = 0.0) -> Any:
    """g/(z + ε·sign z), and 0 where that would divide by 0."""
    z = z + ops.where(ops.compare("less", z, 0.0), z * 0.0 - epsilon, z * 0.0 + epsilon)
    zero = ops.compare("equal", z, 0.0)
    return ops.where(zero, z * 0.0, g / ops.where(zero, z * 0.0 + 1.0, z))


def _parts(x: Any) -> tuple[Any, Any]:
    """The positive and the negative part."""
    positive = ops.relu(x)
    return positive, x - positive


def lrp(model: Callable, x: Any, target: Target = None, **options: Any) -> Tensor:
    """`LRP(model, **options).attribute(x, target)` in one call."""
    return LRP(model, **options).attribute(x, target)
