"""Batch normalisation: a channel at a time, so that its later passes find it in the cache.

Sums run in vectors along one plane of one image; the sums of the planes are added in double. The
variance takes a second pass over x − mean: one pass is fast and wrong. The ReLU that follows, and
the sum before it, cost no pass of their own, and the gradients share theirs: the numbers are those
of the single kernels, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from . import launch, memory, threads
from .assembly import DOUBLE, FLOAT, Function, Value, Variable
from .chain_code import KERNELS
from .drivers import Share
from .launch import share_out, table
from .machine import Machine, current

COMMON = "x* mean* inverse_std* weight* bounds* images channels plane"
NORMALIZE = f"{COMMON} y* bias* added* eps*"
GRADIENTS = f"{COMMON} g* ans* masked* result* products* sums*"
_SUMS = 4  # independent sums, so that an addition need not wait for the one before it


def normalize(
    x, weight, bias, eps: float, added=None, relu: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, mean and 1/std of contiguous float32 x as N×C×positions, the last two of shape C.

    With `added` and `relu` y is relu(y + added).
    """
    y, mean, inverse_std = memory.empty(x.shape), *np.empty((2, x.shape[1]), np.float32)
    ones, zeros = np.ones(x.shape[1], np.float32), np.zeros(x.shape[1], np.float32)
    run(
        normalize_share, NORMALIZE, x, added is not None, relu,
        weight=ones if weight is None else weight, mean=mean, inverse_std=inverse_std,
        bias=zeros if bias is None else bias, y=y, added=y if added is None else added,
        eps=np.array(eps),
    )  # fmt: skip
    return y, mean, inverse_std


def gradients(g, x, weight, mean, inverse_std, ans=None, wanted: str = "xwb") -> tuple:
    """The gradients in x, weight and bias, and g behind the ReLU whose answer is `ans`.

    `wanted` names those that are computed; the others are None.
    """
    masked = memory.empty(x.shape) if ans is not None else None
    result = memory.empty(x.shape) if "x" in wanted else None
    products, sums = np.empty((2, x.shape[1]), np.float32)
    ones = np.ones(x.shape[1], np.float32)
    run(
        gradients_share, GRADIENTS, x, wanted, ans is not None,
        weight=ones if weight is None else weight, mean=mean, inverse_std=inverse_std, g=g,
        ans=g if ans is None else ans, masked=g if masked is None else masked,
        result=g if result is None else result, products=products, sums=sums,
    )  # fmt: skip
    return (
        result, products if "w" in wanted else None, sums if "b" in wanted else None,
        g if masked is None else masked,
    )  # fmt: skip


def input_grad(g, x, weight, mean, inverse_std) -> np.ndarray:
    """inverse_std·weight·(g − mean(g) − x̂·mean(g·x̂)), g and x as N×C×positions."""
    return gradients(g, x, weight, mean, inverse_std, wanted="x")[0]


def weight_grad(g, x, mean, inverse_std) -> np.ndarray:
    """Σ g·x̂ of each channel."""
    return gradients(g, x, None, mean, inverse_std, wanted="w")[1]


def sums(g) -> np.ndarray:
    """Σ g of each channel of contiguous float32 g as N×C×positions."""
    nothing = np.empty(g.shape[1], np.float32)
    return gradients(g, g, None, nothing, nothing, wanted="b")[2]


def run(share, names: str, x: np.ndarray, *parameters, **arrays: np.ndarray) -> None:
    """Run a share over the channels of x, in as many threads as pay."""
    machine = current()
    with threads.pool() as pool:
        workers = min(launch.workers(x.size * 64, pool.size), x.shape[1])
        bounds = share_out(x.shape[1], workers)
        words = table(
            names, x=x, bounds=bounds, images=x.shape[0], channels=x.shape[1], plane=x.shape[2],
            **arrays,
        )  # fmt: skip
        launch.run(pool, machine, share, words, workers, *parameters)


def normalize_share(machine: Machine, name: str, added: bool, relu: bool) -> Function:
    """(x − mean)·scale + bias, scale = weight/√(variance + eps), for each channel of a worker."""
    channels = Channels(machine, name, NORMALIZE)
    f, a = channels.function, channels.arguments
    with channels.each() as channel:
        mean, inverse = channels.statistics(a["x"], a["eps"])
        f.store(mean, a["mean"] + channel)
        f.store(inverse, a["inverse_std"] + channel)
        scale, bias = inverse * f.load(a["weight"] + channel), f.load(a["bias"] + channel)

        def write(here: Place) -> None:
            y = (here.at(a["x"]) - here.of(mean)) * here.of(scale) + here.of(bias)
            y = y + here.at(a["added"]) if added else y
            here.put(KERNELS["relu"](f, y) if relu else y, a["y"])

        channels.visit(write)
    return f


def gradients_share(machine: Machine, name: str, wanted: str, masked: bool) -> Function:
    """One pass for the sums, and one for scale·(g − mean(g) − (x − mean)·Σg·(x − mean)/…)."""
    channels = Channels(machine, name, GRADIENTS)
    f, a = channels.function, channels.arguments
    g = a["masked"] if masked else a["g"]
    with channels.each() as channel:
        mean, inverse = f.load(a["mean"] + channel), f.load(a["inverse_std"] + channel)
        wide = f.convert(inverse, DOUBLE)

        def terms(here: Place) -> list[Value]:
            gradient = here.at(a["g"])
            if masked:
                gradient = gradient * KERNELS["step"](f, here.at(a["ans"]))
                here.put(gradient, g)
            along = [gradient] if wanted != "w" else []
            return [*along, gradient * (here.at(a["x"]) - here.of(mean))][:count]

        count = (wanted != "w") + (wanted != "b")
        found = channels.totals(count, terms)
        total, products = found[0], found[-1]
        if "b" in wanted:
            f.store(f.convert(total, FLOAT), a["sums"] + channel)
        if "w" in wanted:
            f.store(f.convert(products * wide, FLOAT), a["products"] + channel)
        if "x" in wanted:
            scale = inverse * f.load(a["weight"] + channel)
            along = f.convert(total / channels.count, FLOAT)
            across = f.convert(products * wide * wide / channels.count, FLOAT)

            def write(here: Place) -> None:
                slope = (here.at(a["x"]) - here.of(mean)) * here.of(across)
                here.put((here.at(g) - slope - here.of(along)) * here.of(scale), a["result"])

            channels.visit(write)
    return f


@dataclass(frozen=True, slots=True)
class Place:
    """Some entries of a channel: a vector of them, or one, as `kind` says."""

    function: Function
    start: Value
    position: Value  # from the plane's start
    kind: str
    number: int  # which of the independent sums they belong to

    @property
    def offset(self) -> Value:
        return self.start + self.position

    def at(self, array: Value) -> Value:
        """What an array holds there."""
        return self.function.load(array + self.offset, self.kind)

    def along(self, array: Value) -> Value:
        """What an array of one plane, the same for all, holds there."""
        return self.function.load(array + self.position, self.kind)

    def of(self, number: Value) -> Value:
        """A number of the channel, as often as there are entries."""
        return number if self.kind == FLOAT else self.function.splat(number)

    def put(self, value: Value, array: Value) -> None:
        self.function.store(value, array + self.offset)


class _Total:
    """A sum in double, its vectors' lanes apart until it is asked for."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.wide = function.vector.replace(FLOAT, DOUBLE)
        self.lanes = Variable(function, Value(function, self.wide, "zeroinitializer"))
        self.rest = Variable(function, function.real(0, DOUBLE))

    def add(self, vector: Value, rest: Value) -> None:
        self.lanes.set(self.lanes.get() + self.function.convert(vector, self.wide))
        self.rest.set(self.rest.get() + self.function.convert(rest, DOUBLE))

    def get(self) -> Value:
        lanes = self.lanes.get()
        numbers = range(self.function.lanes)
        return sum((self.function.lane(lanes, n) for n in numbers), start=self.rest.get())


class Channels(Share):
    """Sums and maps over one channel of all images, from terms that are written once."""

    @property
    def count(self) -> Value:
        return self.function.convert(self.arguments["images"] * self.arguments["plane"], DOUBLE)

    @contextmanager
    def each(self) -> Iterator[Value]:
        """The block below for each channel of this worker."""
        first, last = self.bounds("bounds")
        with self.function.loop(last, start=first) as self.channel:
            yield self.channel

    def statistics(self, array: Value, eps: Value) -> tuple[Value, Value]:
        """The mean and 1/√(variance + eps) of an array over the channel."""
        f = self.function
        (total,) = self.totals(1, lambda here: [here.at(array)])
        mean = f.convert(total / self.count, FLOAT)

        def square(here: Place) -> list[Value]:
            centred = here.at(array) - here.of(mean)
            return [centred * centred]

        (squares,) = self.totals(1, square)
        variance = squares / self.count + f.load(eps, DOUBLE)
        return mean, f.convert(f.real(1, DOUBLE) / f.square_root(variance), FLOAT)

    def totals(self, count: int, terms: Callable[[Place], list[Value]]) -> list[Value]:
        """The sums of `count` terms over the channel, in double."""
        f = self.function
        totals = [_Total(f) for _ in range(count)]
        with f.loop(self.arguments["images"]) as image:
            vectors = [[Variable(f, f.zeros()) for _ in range(_SUMS)] for _ in totals]
            rests = [Variable(f, f.real(0)) for _ in totals]

            def add(here: Place) -> None:
                for value, sums, rest in zip(terms(here), vectors, rests, strict=True):
                    kept = rest if here.kind == FLOAT else sums[here.number]
                    kept.set(kept.get() + value)

            self._along(image, add)
            for total, sums, rest in zip(totals, vectors, rests, strict=True):
                one, *others = [each.get() for each in sums]
                total.add(sum(others, start=one), rest.get())
        return [total.get() for total in totals]

    def visit(self, body: Callable[[Place], None]) -> None:
        """body(place) for every place of the channel."""
        with self.function.loop(self.arguments["images"]) as image:
            self._along(image, body)

    def _along(self, image: Value, body: Callable[[Place], None]) -> None:
        """body(place) over one plane: several vectors, vectors, single entries."""
        f, plane = self.function, self.arguments["plane"]
        start = (image * self.arguments["channels"] + self.channel) * plane
        step = f.lanes * _SUMS
        several, single = plane // step * step, plane // f.lanes * f.lanes
        with f.loop(several, step=step) as i:
            for number in range(_SUMS):
                body(Place(f, start, i + number * f.lanes, f.vector, number))
        with f.loop(single, start=several, step=f.lanes) as i:
            body(Place(f, start, i, f.vector, 0))
        with f.loop(plane, start=single) as i:
            body(Place(f, start, i, FLOAT, 0))
