"""Elementwise kernels, written once against `self.xp` (NumPy or CuPy).

Piecewise kernels branch on the real part, so that every kernel also runs on complex arrays:
that is what lets the complex step check derivatives to rounding.
"""

from __future__ import annotations

from typing import Any

Array = Any

# Rational approximations of the error function: W. J. Cody, Mathematics of Computation, 1969.
_ERF_SMALL = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2,
     3.77485237685302021e2, 3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2,
     1.28261652607737228e3, 2.84423683343917062e3),
)  # fmt: skip
_ERFC_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594,
     6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2,
     1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
     3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_ERFC_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip
_INVERSE_SQRT_PI = 0.5641895835477563


def _horner(coefficients: tuple[float, ...], x: Array) -> Array:
    result = coefficients[0]
    for coefficient in coefficients[1:]:
        result = result * x + coefficient
    return result


class ElementwiseKernels:
    """One method an operation; operands broadcast as in NumPy."""

    xp: Any

    def identity(self, x: Array) -> Array:
        return x

    def add(self, x: Array, y: Array) -> Array:
        return self.xp.add(x, y)

    def subtract(self, x: Array, y: Array) -> Array:
        return self.xp.subtract(x, y)

    def multiply(self, x: Array, y: Array) -> Array:
        return self.xp.multiply(x, y)

    def divide(self, x: Array, y: Array) -> Array:
        return self.xp.true_divide(x, y)

    def negative(self, x: Array) -> Array:
        return self.xp.negative(x)

    def power(self, x: Array, y: Array) -> Array:
        return x**y if isinstance(y, (int, float)) else self.xp.power(x, y)

    def square(self, x: Array) -> Array:
        return self.xp.square(x)

    def exp(self, x: Array) -> Array:
        return self.xp.exp(x)

    def expm1(self, x: Array) -> Array:
        return self.xp.expm1(x)

    def log(self, x: Array) -> Array:
        return self.xp.log(x)

    def log1p(self, x: Array) -> Array:
        return self.xp.log1p(x)

    def sqrt(self, x: Array) -> Array:
        return self.xp.sqrt(x)

    def sin(self, x: Array) -> Array:
        return self.xp.sin(x)

    def cos(self, x: Array) -> Array:
        return self.xp.cos(x)

    def tanh(self, x: Array) -> Array:
        return self.xp.tanh(x)

    def sign(self, x: Array) -> Array:
        return self.xp.sign(x.real).astype(x.dtype)

    def step(self, x: Array) -> Array:
        return (x.real > 0).astype(x.dtype)

    def abs(self, x: Array) -> Array:
        return x * self.sign(x) if x.dtype.kind == "c" else self.xp.abs(x)

    def sigmoid(self, x: Array) -> Array:
        xp = self.xp
        small = xp.exp(-self.abs(x))  # of a large negative x, 0.5·tanh + 0.5 would leave nothing
        return xp.where(x.real < 0, small, x.dtype.type(1)) / (small + 1)

    def softplus(self, x: Array) -> Array:
        xp = self.xp
        magnitude = self.abs(x)
        return xp.where(x.real > 0, x, 0 * x) + xp.log1p(xp.exp(-magnitude))

    def relu(self, x: Array) -> Array:
        if x.dtype.kind == "c":
            return self.xp.where(x.real > 0, x, x.dtype.type(0))
        return self.xp.maximum(x, x.dtype.type(0))

    def leaky_relu(self, x: Array, *, negative_slope: float) -> Array:
        return self.xp.where(x.real > 0, x, _number(negative_slope, x) * x)

    def elu(self, x: Array, *, alpha: float) -> Array:
        xp = self.xp
        negative = xp.where(x.real > 0, x.dtype.type(0), x)
        return xp.where(x.real > 0, x, _number(alpha, x) * xp.expm1(negative))

    def erf(self, x: Array) -> Array:
        xp = self.xp
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":  # the coefficients overflow there
            return self.erf(x.astype("float32")).astype(x.dtype)
        x = x * 1.0  # whole numbers become floating-point ones
        sign = xp.where(x.real < 0, -1.0, 1.0).astype(x.real.dtype)
        size = x * sign
        small = xp.where(size.real <= 0.46875, size, 0.0)
        inner = small * _horner(_ERF_SMALL[0], small * small)
        inner = inner / _horner(_ERF_SMALL[1], small * small)
        middle = xp.where(size.real <= 4.0, size, 4.0)
        tail = _horner(_ERFC_MIDDLE[0], middle) / _horner(_ERFC_MIDDLE[1], middle)
        large = xp.where(size.real > 4.0, size, 4.0)
        inverse = 1.0 / (large * large)
        ratio = inverse * _horner(_ERFC_LARGE[0], inverse) / _horner(_ERFC_LARGE[1], inverse)
        far = (_INVERSE_SQRT_PI - ratio) / large
        complement = xp.exp(-size * size) * xp.where(size.real <= 4.0, tail, far)
        return sign * xp.where(size.real <= 0.46875, inner, 1.0 - complement).astype(x.dtype)

    def gelu(self, x: Array) -> Array:
        if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":  # 1 + erf would lose the tail there
            return self.gelu(x.astype("float32")).astype(x.dtype)
        return 0.5 * x * (1.0 + self.erf(x * 0.7071067811865476))

    def clip(self, x: Array, *, low: float | None, high: float | None) -> Array:
        xp = self.xp
        for bound, beyond in ((low, xp.less), (high, xp.greater)):
            if bound is not None:
                end = bound if x.dtype.kind in "iu" else x.dtype.type(bound)
                x = xp.where(beyond(x.real, bound), end, x)
        return x

    def where(self, condition: Array, x: Array, y: Array) -> Array:
        return self.xp.where(condition, x, y)

    def maximum(self, x: Array, y: Array) -> Array:
        xp = self.xp
        if xp.iscomplexobj(x) or xp.iscomplexobj(y):
            return xp.where(xp.real(x) >= xp.real(y), x, y)
        return xp.maximum(x, y)

    def minimum(self, x: Array, y: Array) -> Array:
        xp = self.xp
        if xp.iscomplexobj(x) or xp.iscomplexobj(y):
            return xp.where(xp.real(x) <= xp.real(y), x, y)
        return xp.minimum(x, y)

    def astype(self, x: Array, *, dtype: Any) -> Array:
        return x.astype(dtype)


def _number(value: float, x: Array) -> Any:
    """A factor of x that leaves its type: bfloat16 times a Python number would be float32."""
    return value if x.dtype.kind in "iub" else x.dtype.type(value)
