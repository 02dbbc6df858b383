"""Noise: dropout, and the seeds that all random operations draw.

A random operation is a function of its input and a seed; drawing the seed is the only thing that
is not repeatable, and `seed(n)` makes it so.
"""

from __future__ import annotations

import random
from contextvars import ContextVar
from typing import Any

from ..errors import ShapeError, require_floats, shape_text
from ..primitive import linear
from ..tape import current

_generator: ContextVar[random.Random | None] = ContextVar("generator", default=None)
_shared = random.Random()

_dropout = linear(
    "dropout",
    x=lambda g, seed, p, shape: _dropout(g, seed=seed, p=p, shape=shape),
    family="activation",
)


def seed(number: int) -> None:
    """Start the default sequence of seeds again, in this thread and those that copy its context.

    >>> import autograd_cnn as ag
    >>> ag.seed(0); first = ag.draw_seed()
    >>> ag.seed(0); ag.draw_seed() == first
    True
    """
    _generator.set(random.Random(number))


def draw_seed(rng: Any = None) -> int:
    """A fresh 64-bit seed: from `rng` (a number is itself, a generator is asked), or the default.

    Inside a checkpoint the second run draws what the first one drew.
    """
    checkpoint = current().checkpoint
    if checkpoint is not None:
        return checkpoint.seed(lambda: _draw(rng))
    return _draw(rng)


def _draw(rng: Any) -> int:
    if rng is None:
        return (_generator.get() or _shared).getrandbits(64)
    if hasattr(rng, "__index__"):
        return int(rng)
    if hasattr(rng, "integers"):  # a NumPy or CuPy Generator
        return int(rng.integers(0, 2**63))
    return rng.getrandbits(64)


def dropout(x: Any, p: float = 0.5, training: bool = True, rng: Any = None) -> Any:
    """Each entry set to 0 with probability p, the others divided by 1 − p.

    Nothing is done when not training. The tape keeps the seed, not the mask. Source: Srivastava et
    al. 2014 (here scaled in training, so that evaluation needs no change). `rng` is a number or a
    generator.

    Raises ValueError for p outside [0, 1].
    """
    return _drop("dropout", x, p, training, rng, None)


def dropout2d(x: Any, p: float = 0.5, training: bool = True, rng: Any = None) -> Any:
    """Whole channels of N×C×… set to 0 with probability p (Tompson et al. 2015). See `dropout`."""
    if x.ndim < 3:
        raise ShapeError(f"dropout2d: input must be N×C×…, got {shape_text(x.shape)}")
    return _drop("dropout2d", x, p, training, rng, tuple(x.shape[:2]) + (1,) * (x.ndim - 2))


def _drop(name: str, x: Any, p: float, training: bool, rng: Any, shape: Any) -> Any:
    require_floats(name, x)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: p = {p} is not within [0, 1]")
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    return _dropout(x, seed=draw_seed(rng), p=float(p), shape=shape or tuple(x.shape))
