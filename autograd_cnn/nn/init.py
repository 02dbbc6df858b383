"""Initial weights: Xavier, He and LeCun, each uniform or normal, and the plain ones.

Every function takes a shape, and gives a new tensor, or a parameter, and writes into it. A weight
of shape out×in×k… has n_in = in·Πk and n_out = out·Πk. `rng` is a number, a generator, or None for
the sequence that `ag.seed` starts.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text
from ..ops import draw_seed
from ..tensor import Tensor


def generator(rng: Any = None) -> np.random.Generator:
    """A NumPy generator from a number, from another generator (itself), or from `ag.seed`."""
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng(draw_seed(rng))


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(n_in, n_out) of a weight: how many inputs an output sees, and outputs an input reaches.

    >>> from autograd_cnn import nn
    >>> nn.init.fans((16, 6, 5, 5))
    (150, 400)

    Raises ShapeError for fewer than two axes.
    """
    if len(shape) < 2:
        raise ShapeError(f"fans need a weight of two axes or more, got {shape_text(shape)}")
    window = prod(shape[2:])
    return shape[1] * window, shape[0] * window


def xavier_uniform(target: Any, gain: float = 1.0, rng: Any = None) -> Tensor:
    """Uniform with variance gain²·2/(n_in + n_out) (Glorot and Bengio 2010)."""
    return _uniform_of_variance(target, gain**2 * 2.0 / sum(fans(_shape(target))), rng)


def xavier_normal(target: Any, gain: float = 1.0, rng: Any = None) -> Tensor:
    """Normal with variance gain²·2/(n_in + n_out) (Glorot and Bengio 2010)."""
    return normal(target, 0.0, gain * sqrt(2.0 / sum(fans(_shape(target)))), rng)


def he_uniform(target: Any, rng: Any = None) -> Tensor:
    """Uniform with variance 2/n_in, for ReLU (He et al. 2015)."""
    return _uniform_of_variance(target, 2.0 / fans(_shape(target))[0], rng)


def he_normal(target: Any, rng: Any = None) -> Tensor:
    """Normal with variance 2/n_in, for ReLU (He et al. 2015).

    >>> from autograd_cnn import nn
    >>> round(float(nn.init.he_normal((100, 200), rng=0).std()), 2)
    0.1
    """
    return normal(target, 0.0, sqrt(2.0 / fans(_shape(target))[0]), rng)


def lecun_uniform(target: Any, rng: Any = None) -> Tensor:
    """Uniform with variance 1/n_in, for SELU (LeCun et al. 1998)."""
    return _uniform_of_variance(target, 1.0 / fans(_shape(target))[0], rng)


def lecun_normal(target: Any, rng: Any = None) -> Tensor:
    """Normal with variance 1/n_in, for SELU (LeCun et al. 1998)."""
    return normal(target, 0.0, sqrt(1.0 / fans(_shape(target))[0]), rng)


def uniform(target: Any, low: float = 0.0, high: float = 1.0, rng: Any = None) -> Tensor:
    """Uniform on [low, high)."""
    values = generator(rng).random(_shape(target), dtype=np.float32)
    values *= high - low
    values += low
    return _put(target, values)


def normal(target: Any, mean: float = 0.0, std: float = 1.0, rng: Any = None) -> Tensor:
    """Normal with a mean and a standard deviation."""
    values = generator(rng).standard_normal(_shape(target), dtype=np.float32)
    values *= std
    values += mean
    return _put(target, values)


def constant(target: Any, value: float) -> Tensor:
    """One value everywhere."""
    return _put(target, np.full(_shape(target), value, np.float32))


def zeros(target: Any) -> Tensor:
    """0 everywhere."""
    return constant(target, 0.0)


def ones(target: Any) -> Tensor:
    """1 everywhere."""
    return constant(target, 1.0)


def fan_in_uniform(target: Any, n_in: int, rng: Any = None) -> Tensor:
    """Uniform on ±1/√n_in: what Linear and convolution layers start from, as in PyTorch."""
    bound = 1.0 / sqrt(n_in) if n_in > 0 else 0.0
    return uniform(target, -bound, bound, rng)


def _uniform_of_variance(target: Any, variance: float, rng: Any) -> Tensor:
    bound = sqrt(3.0 * variance)  # the variance of a uniform on ±b is b²/3
    return uniform(target, -bound, bound, rng)


def _shape(target: Any) -> tuple[int, ...]:
    if isinstance(target, Tensor):
        return target.shape
    return (target,) if isinstance(target, int) else tuple(target)


def _put(target: Any, values: np.ndarray) -> Tensor:
    if not isinstance(target, Tensor):
        return Tensor(values)
    target.assign(values)
    return target
