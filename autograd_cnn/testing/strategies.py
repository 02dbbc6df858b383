"""Hypothesis strategies: shapes, tensors in any layout, geometries, and arguments of primitives.

Entries come from a drawn seed, so that shrinking works on what matters: shapes, layouts, geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import require
from ..tensor import Tensor
from .draw import Draw
from .geometry import draw_conv, draw_pool
from .layouts import LAYOUTS, relaid, repeated
from .programs import draw_program
from .records import Record, record_of
from .relations import Relation


def shapes(min_dims: int = 0, max_dims: int = 4, min_side: int = 0, max_side: int = 4) -> Any:
    """Shapes, scalars and empty ones among them unless excluded.

    >>> from autograd_cnn.testing import strategies
    >>> from hypothesis import find
    >>> find(strategies.shapes(min_dims=2), lambda shape: True)
    (0, 0)
    """
    st = _st()
    sides = st.integers(min_side, max_side)
    return st.lists(sides, min_size=min_dims, max_size=max_dims).map(tuple)


def broadcastable(count: int = 2, max_dims: int = 3, max_side: int = 4) -> Any:
    """Tuples of `count` shapes that broadcast together."""

    def make(draw: Draw) -> tuple:
        joint = draw.shape(0, max_dims, max_side)
        return tuple(
            tuple(1 if draw.integer(0, 2) == 0 else n for n in joint[draw.integer(0, len(joint)) :])
            for _ in range(count)
        )

    return _drawn(make)


def arrays(shape: Any = None, dtype: Any = np.float64, layouts: tuple[str, ...] = LAYOUTS) -> Any:
    """Arrays of normal entries in any layout: C, F, negative or zero strides, offset, read-only.

    `shape` is a shape, a strategy of shapes, or None for any. Whole-number dtypes get −3 … 3.
    """
    st = _st()
    wanted = shapes() if shape is None else shape
    wanted = wanted if hasattr(wanted, "filter") else st.just(tuple(wanted))
    kinds = st.sampled_from((*layouts, "repeated"))

    def build(shape: tuple, seed: int, layout: str) -> np.ndarray:
        rng = np.random.default_rng(seed)
        whole = np.dtype(dtype).kind in "iu"
        x = np.asarray(rng.integers(-3, 4, shape) if whole else rng.standard_normal(shape), dtype)
        if layout == "repeated":
            return repeated(x, int(rng.integers(0, x.ndim))) if x.ndim else x
        return relaid(x, layout)

    return st.builds(build, wanted, st.integers(0, 2**32 - 1), kinds)


def tensors(
    shape: Any = None, dtype: Any = np.float64, requires_grad: bool = False,
    layouts: tuple[str, ...] = LAYOUTS,
) -> Any:  # fmt: skip
    """Tensors over such arrays, sharing their memory and so their layout. See `arrays`."""
    return arrays(shape, dtype, layouts).map(lambda x: Tensor(x, requires_grad=requires_grad))


def conv_geometry(ndim: int = 2) -> Any:
    """Geometries of convolutions that have an output.

    Shapes of input and filters, stride, padding on each side, dilation, groups; `.spec` is the
    ConvSpec.
    """
    return _drawn(lambda draw: draw_conv(draw, ndim))


def pool_geometry(ndim: int = 2) -> Any:
    """Pairs of an input shape and the PoolSpec of a pooling of it that has an output."""
    return _drawn(lambda draw: draw_pool(draw, ndim))


def samples(record: str | Record | Relation) -> Any:
    """Arguments of a primitive, by name or by its record; `.inputs` and `.attributes`.

    Also those of a relation.
    """
    return _drawn((record_of(record) if isinstance(record, str) else record).make)


def programs(steps: int = 5) -> Any:
    """Random programs of up to so many steps over every operation of the table.

    Each is called with tensors in place of its `inputs`; `str` lists its steps.

    >>> from autograd_cnn.testing import strategies
    >>> from hypothesis import find
    >>> print(find(strategies.programs(), lambda program: True))
    v0 = input scalar
    v1 = abs(scalar near v0)
    """
    return _drawn(lambda draw: draw_program(draw, steps))


class _HypothesisDraw(Draw):
    """Draws through Hypothesis, so that what fails is shrunk."""

    def __init__(self, draw: Callable) -> None:
        self.draw, self.st = draw, _st()

    def integer(self, low: int, high: int) -> int:
        return self.draw(self.st.integers(low, high))

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.draw(self.st.integers(0, 2**32 - 1)))


def _st() -> Any:
    return require("hypothesis", "testing").strategies


def _drawn(make: Callable[[Draw], Any]) -> Any:
    return _st().composite(lambda draw: make(_HypothesisDraw(draw)))()
