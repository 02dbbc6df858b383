"""Batch normalisation: a channel at a time, so that its later passes find it in the cache.

Sums run in vectors along one plane of one image; the sums of the planes are added in double. The
variance takes a second pass over x − mean: one pass is fast and wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from . import launch, threads
from .assembly import DOUBLE, FLOAT, Function, Value, Variable
from .drivers import Share
from .launch import share_out, table
from .machine import Machine, current
from .tiles import add_up

COMMON = "x* mean* inverse_std* weight* bounds* images channels plane"
NORMALIZE = f"{COMMON} y* bias* eps*"
GRADIENTS = f"{COMMON} g* result* products*"
_SUMS = 4  # independent sums, so that an addition need not wait for the one before it

Term = Callable[[Callable[[Value], Value], Callable[[Value], Value]], Value]


def normalize(x, weight, bias, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, mean and 1/std of contiguous float32 x as N×C×positions, the last two of shape C."""
    y, mean, inverse_std = np.empty_like(x), *np.empty((2, x.shape[1]), np.float32)
    ones, zeros = np.ones(x.shape[1], np.float32), np.zeros(x.shape[1], np.float32)
    _run(
        normalize_share, NORMALIZE, x, weight=ones if weight is None else weight, mean=mean,
        inverse_std=inverse_std, bias=zeros if bias is None else bias, y=y, eps=np.array(eps),
    )  # fmt: skip
    return y, mean, inverse_std


def input_grad(g, x, weight, mean, inverse_std) -> np.ndarray:
    """inverse_std·weight·(g − mean(g) − x̂·mean(g·x̂)), g and x as N×C×positions."""
    result, ones = np.empty_like(x), np.ones(x.shape[1], np.float32)
    _run(
        input_grad_share, GRADIENTS, x, weight=ones if weight is None else weight, mean=mean,
        inverse_std=inverse_std, g=g, result=result, products=mean,
    )  # fmt: skip
    return result


def weight_grad(g, x, mean, inverse_std) -> np.ndarray:
    """Σ g·x̂ of each channel."""
    products = np.empty(x.shape[1], np.float32)
    _run(
        weight_grad_share, GRADIENTS, x, weight=mean, mean=mean, inverse_std=inverse_std, g=g,
        result=products, products=products,
    )  # fmt: skip
    return products


def _run(share, names: str, x: np.ndarray, **arrays: np.ndarray) -> None:
    machine = current()
    with threads.pool() as pool:
        workers = min(launch.workers(x.size * 64, pool.size), x.shape[1])
        bounds = share_out(x.shape[1], workers)
        words = table(
            names, x=x, bounds=bounds, images=x.shape[0], channels=x.shape[1], plane=x.shape[2],
            **arrays,
        )  # fmt: skip
        launch.run(pool, machine, share, words, workers)


def normalize_share(machine: Machine, name: str) -> Function:
    """(x − mean)·scale + bias, scale = weight/√(variance + eps), for each channel of a worker."""
    channels = _Channels(machine, name, NORMALIZE)
    f, a = channels.function, channels.arguments
    with channels.each() as channel:
        mean = f.convert(channels.total(lambda at, of: at(a["x"])) / channels.count, FLOAT)

        def square(at, of) -> Value:
            centred = at(a["x"]) - of(mean)
            return centred * centred

        variance = channels.total(square) / channels.count + f.load(a["eps"], DOUBLE)
        inverse = f.convert(f.real(1, DOUBLE) / f.square_root(variance), FLOAT)
        f.store(mean, a["mean"] + channel)
        f.store(inverse, a["inverse_std"] + channel)
        scale, bias = inverse * f.load(a["weight"] + channel), f.load(a["bias"] + channel)
        channels.write(a["y"], lambda at, of: (at(a["x"]) - of(mean)) * of(scale) + of(bias))
    return f


def input_grad_share(machine: Machine, name: str) -> Function:
    """scale·(g − mean(g) − (x − mean)·inverse_std²·mean(g·(x − mean)))."""
    channels = _Channels(machine, name, GRADIENTS)
    f, a = channels.function, channels.arguments
    with channels.each() as channel:
        mean, inverse = f.load(a["mean"] + channel), f.load(a["inverse_std"] + channel)
        scale, wide = inverse * f.load(a["weight"] + channel), f.convert(inverse, DOUBLE)
        along = f.convert(channels.total(lambda at, of: at(a["g"])) / channels.count, FLOAT)
        products = channels.total(lambda at, of: at(a["g"]) * (at(a["x"]) - of(mean)))
        across = f.convert(products * wide * wide / channels.count, FLOAT)

        def gradient(at, of) -> Value:
            return (at(a["g"]) - (at(a["x"]) - of(mean)) * of(across) - of(along)) * of(scale)

        channels.write(a["result"], gradient)
    return f


def weight_grad_share(machine: Machine, name: str) -> Function:
    """inverse_std·Σ g·(x − mean)."""
    channels = _Channels(machine, name, GRADIENTS)
    f, a = channels.function, channels.arguments
    with channels.each() as channel:
        mean, inverse = f.load(a["mean"] + channel), f.load(a["inverse_std"] + channel)
        total = channels.total(lambda at, of: at(a["g"]) * (at(a["x"]) - of(mean)))
        f.store(f.convert(total * f.convert(inverse, DOUBLE), FLOAT), a["products"] + channel)
    return f


class _Channels(Share):
    """Sums and maps over one channel of all images.

    A term is written once: `at(array)` is what an array holds at the place in question and
    `of(number)` a number of the channel, both as vectors in the loop over vectors.
    """

    @property
    def count(self) -> Value:
        return self.function.convert(self.arguments["images"] * self.arguments["plane"], DOUBLE)

    @contextmanager
    def each(self) -> Iterator[Value]:
        """The block below for each channel of this worker."""
        first, last = self.bounds("bounds")
        with self.function.loop(last, start=first) as self.channel:
            yield self.channel

    def total(self, term: Term) -> Value:
        """The sum of a term over the channel, in double."""
        f = self.function
        total = Variable(f, f.real(0, DOUBLE))
        with f.loop(self.arguments["images"]) as image:
            vectors = [Variable(f, f.zeros()) for _ in range(_SUMS)]
            rest = Variable(f, f.real(0))

            def add(number: int, value: Value, vectors=vectors, rest=rest) -> None:
                kept = rest if value.kind == FLOAT else vectors[number]
                kept.set(kept.get() + value)

            self._along(image, lambda number, place, at, of: add(number, term(at, of)))
            lanes = add_up(f, [vector.get() for vector in vectors])
            for part in [*lanes, rest.get()]:
                total.set(total.get() + f.convert(part, DOUBLE))
        return total.get()

    def write(self, target: Value, term: Term) -> None:
        """Each entry of the channel of `target` from a term."""
        f = self.function
        with f.loop(self.arguments["images"]) as image:
            self._along(image, lambda number, place, at, of: f.store(term(at, of), target + place))

    def _along(self, image: Value, body) -> None:
        """body(which sum, place, at, of) over one plane: several vectors, vectors, single ones."""
        f, plane = self.function, self.arguments["plane"]
        start = (image * self.arguments["channels"] + self.channel) * plane
        step = f.lanes * _SUMS
        several, single = plane // step * step, plane // f.lanes * f.lanes

        def run(place: Value, number: int, kind: str) -> None:
            of = f.splat if kind == f.vector else lambda value: value
            body(number, place, lambda array: f.load(array + place, kind), of)

        with f.loop(several, step=step) as i:
            for number in range(_SUMS):
                run(start + i + number * f.lanes, number, f.vector)
        with f.loop(single, start=several, step=f.lanes) as i:
            run(start + i, 0, f.vector)
        with f.loop(plane, start=single) as i:
            run(start + i, 0, FLOAT)
