"""Activation layers, softmax and dropout.

`inplace` is there so that models written for PyTorch run; tensors are values, so it does nothing.
"""

from __future__ import annotations

from typing import Any

from .. import ops
from . import init
from .module import Module, Parameter


class ReLU(Module):
    """max(0, x); the derivative at 0 is 0."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return ops.relu(x)


class LeakyReLU(Module):
    """x for x > 0, negative_slope·x elsewhere; the derivative at 0 is negative_slope."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, x: Any) -> Any:
        return ops.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x for x > 0, alpha·(eˣ − 1) elsewhere; the derivative at 0 is alpha."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Any) -> Any:
        return ops.elu(x, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(Module):
    """λ·elu(x, α), λ = 1.0507…, α = 1.6733…: keeps mean 0, variance 1 (Klambauer 2017)."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return ops.selu(x)


class GELU(Module):
    """x·Φ(x), exact. Raises ValueError for an approximation, which is not there."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate != "none":
            raise ValueError(f'GELU: approximate="{approximate}": only "none" is there')

    def forward(self, x: Any) -> Any:
        return ops.gelu(x)

    def extra_repr(self) -> str:
        return "approximate='none'"


class Sigmoid(Module):
    """1/(1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Any:
        return ops.sigmoid(x)


class LogSigmoid(Module):
    """ln(1/(1 + e⁻ˣ)), without overflow."""

    def forward(self, x: Any) -> Any:
        return ops.log_sigmoid(x)


class Tanh(Module):
    """(eˣ − e⁻ˣ)/(eˣ + e⁻ˣ)."""

    def forward(self, x: Any) -> Any:
        return ops.tanh(x)


class Softplus(Module):
    """ln(1 + e^(beta·x))/beta, without overflow."""

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, x: Any) -> Any:
        return ops.softplus(x) if self.beta == 1.0 else ops.softplus(x * self.beta) / self.beta

    def extra_repr(self) -> str:
        return f"beta={self.beta}"


class Softmax(Module):
    """eˣ/Σeˣ along the axis `dim`."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Any) -> Any:
        return ops.softmax(x, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """x − ln Σeˣ along the axis `dim`."""

    def forward(self, x: Any) -> Any:
        return ops.log_softmax(x, self.dim)


class Dropout(Module):
    """In training each entry is 0 with probability p, the others are divided by 1 − p.

    `rng`, a number or a generator, gives the layer a sequence of masks of its own; otherwise
    `ag.seed` starts it. Raises ValueError for p outside [0, 1].
    """

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rng: Any = None) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"{type(self).__name__}: p = {p} is not within [0, 1]")
        self.p = p
        self.rng = None if rng is None else init.generator(rng)

    def forward(self, x: Any) -> Any:
        return ops.dropout(x, self.p, self.training, self.rng)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout2d(Dropout):
    """In training whole channels of N×C×… are 0 with probability p (Tompson et al. 2015)."""

    def forward(self, x: Any) -> Any:
        return ops.dropout2d(x, self.p, self.training, self.rng)


class SiLU(Module):
    """x·σ(x), also called swish."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return ops.silu(x)


class Mish(Module):
    """x·tanh(ln(1 + eˣ))."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return ops.mish(x)


class Hardswish(Module):
    """x·relu6(x + 3)/6; the derivative at −3 is 0 and at 3 is 1."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return ops.hardswish(x)


class Hardtanh(Module):
    """x kept within [min_val, max_val]; the derivative is 0 at the ends."""

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Any) -> Any:
        return ops.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class ReLU6(Hardtanh):
    """min(max(0, x), 6); the derivative at 0 and at 6 is 0."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0)

    def extra_repr(self) -> str:
        return ""


class PReLU(Module):
    """x for x > 0, weight·x elsewhere, with one learned weight, or one a channel (He et al. 2015).

    Do not decay the weight: it would be drawn to ReLU.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter([init] * num_parameters)

    def forward(self, x: Any) -> Any:
        return ops.prelu(x, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
