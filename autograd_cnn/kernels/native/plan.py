"""Where everything lies: convolution and its transpose as sums over runs of a flat buffer.

Images are laid out flat with just enough zeros between rows that every tap of the kernel sees one
contiguous run, whatever the padding and dilation; neighbouring rows, and neighbouring images,
share their zeros. With stride s the input is split into s phases an axis: the pixels p, p + s, …
The transpose has one phase of input and one job for each phase of its output, with the taps that
reach it; taps look backwards.

The runs cross the ends of rows: what is computed there is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import prod

import numpy as np

from ..numpy_unroll import meet
from ..specs import ConvSpec, Sizes

UNIT_FLOATS = 96 << 10
"""Entries of one unit's images in the flat buffer: they should stay in a second-level cache."""
SHORTEST, LONGEST = 256, 8192
"""Pixels of one unit: fewer read the weights too often, more outgrow the buffers."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Along one axis: which places hold pixels, and the first pixel and the step between them."""

    first: int
    last: int
    pixel: int
    step: int


@dataclass(frozen=True, slots=True)
class Job:
    """Along one axis: the outputs of one phase, and its taps as (input phase, shift, number)."""

    outputs: Phase
    taps: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the flat layout."""

    size: int
    phases: tuple[Phase, ...]
    jobs: tuple[Job, ...]

    @property
    def outputs(self) -> tuple[int, int]:
        """The first place of any output, and the one after the last."""
        phases = [job.outputs for job in self.jobs]
        return min(p.first for p in phases), max(p.last for p in phases)

    @property
    def reach(self) -> tuple[int, int]:
        """The least and the greatest shift."""
        shifts = [shift for job in self.jobs for _, shift, _ in job.taps] or [0]
        return min(shifts), max(shifts)

    @property
    def seen(self) -> tuple[int, int]:
        """The places that outputs see."""
        (first, last), (low, high) = self.outputs, self.reach
        return first + low, last + high

    @property
    def pitch(self) -> int:
        """Places from one row to the next, so that whatever is seen beyond a row's ends is zero."""
        first, last = self.seen
        pixels = [phase for phase in self.phases if phase.first < phase.last]
        start = min((max(p.first, first) for p in pixels), default=first)
        stop = max((min(p.last, last) for p in pixels), default=first)
        return max(stop - start, last - start, stop - first, self.outputs[1] - self.outputs[0], 1)


def forward_axis(n: int, k: int, s: int, d: int, before: int, out: int) -> Axis:
    """An axis of a convolution of n pixels with k taps to `out` outputs."""
    residues = sorted({t * d % s for t in range(k)})
    places = out + (k - 1) * d // s + 1
    phases = tuple(_phase(n, places, before - r, s) for r in residues)
    taps = tuple((residues.index(t * d % s), t * d // s, t) for t in range(k))
    return Axis(n, phases, (Job(Phase(0, out, 0, 1), taps),))


def transposed_axis(n: int, k: int, s: int, d: int, before: int, out: int) -> Axis:
    """The transpose: from `out` entries back to n pixels, with one job a phase of the pixels."""
    places = max(out + (k - 1) * d // s + 1, -(-(n + before) // s))
    jobs = []
    for r in range(s):
        pixels = _phase(n, places, before - r, s)
        if pixels.first < pixels.last:
            taps = tuple((0, -(t * d // s), t) for t in range(k) if t * d % s == r)
            jobs.append(Job(pixels, taps))
    return Axis(out, (Phase(0, out, 0, 1),), tuple(jobs))


def _phase(n: int, places: int, before: int, stride: int) -> Phase:
    inside, pixels = meet(n, places, before, stride)
    return Phase(inside.start, inside.stop, pixels.start, stride)


@dataclass(frozen=True)
class Step:
    """One job on one strip: where its run starts and how long it is, and where its rows go."""

    run: int
    length: int  # of all images together
    image_length: int
    rows: np.ndarray  # flat place within the run, place in the array, length


@dataclass(frozen=True)
class Plan:
    """The flat layout of a convolution or its transpose, cut into units of work."""

    together: int  # images of one unit
    units: int
    strips: int
    image_stride: int
    phase_stride: int
    phases: int
    direct: tuple[int, ...] | None  # where each strip starts, if no copy is needed
    loads: tuple[np.ndarray, ...]  # of each strip: flat place, place in the array, length
    steps: tuple[tuple[Step, ...], ...]  # of each strip, of each job
    taps: tuple[np.ndarray, ...]  # of each job: offsets from the start of its run
    tap_numbers: tuple[np.ndarray, ...]  # of each job: which taps of the kernel
    load_stride: int
    store_stride: int

    @property
    def channel_stride(self) -> int:
        return self.phases * self.phase_stride

    @property
    def longest(self) -> int:
        """The most pixels of a run."""
        return max(step.length for strip in self.steps for step in strip)


@lru_cache(maxsize=1024)
def forward(n: int, channels: int, size: Sizes, kernel: Sizes, out: Sizes, spec: ConvSpec,
            workers: int, slack: int, pixels: int = 0) -> Plan:  # fmt: skip
    """The plan of a convolution.

    A unit has about `pixels` pixels and is then always copied; otherwise what fits the cache, and
    read in place where nothing is padded. Kernels may touch `slack` entries beyond a run.
    """
    return _plan(_axes(forward_axis, size, kernel, out, spec), n, channels, workers, pixels,
                 slack, size, out)  # fmt: skip


@lru_cache(maxsize=1024)
def transposed(n: int, channels: int, size: Sizes, kernel: Sizes, out: Sizes, spec: ConvSpec,
               workers: int, slack: int) -> Plan:  # fmt: skip
    """The plan of a transposed convolution from N×C×out to `size`."""
    return _plan(_axes(transposed_axis, size, kernel, out, spec), n, channels, workers, 0,
                 slack, out, size)  # fmt: skip


def _axes(kind, size: Sizes, kernel: Sizes, out: Sizes, spec: ConvSpec) -> tuple[Axis, ...]:
    """Three axes, the strips being cut along the first; missing ones have one pixel."""
    axes = [
        kind(n, k, s, d, before, o)
        for n, k, s, d, (before, _), o in zip(
            size, kernel, spec.stride, spec.dilation, spec.padding, out, strict=True
        )
    ]
    unit = forward_axis(1, 1, 1, 1, 0, 1)
    return tuple(axes[:-1] + [unit] * (3 - len(axes)) + axes[-1:])


def _plan(axes, n, channels, workers, pixels, slack, source, target) -> Plan:
    pitches = [axis.pitch for axis in axes]
    strides = (pitches[1] * pitches[2], pitches[2], 1)
    image_stride = pitches[0] * strides[0]
    phases = prod(len(axis.phases) for axis in axes)
    wanted = pixels or min(max(UNIT_FLOATS // (channels * phases), SHORTEST), LONGEST)
    together, height = _cut(n, axes[0], image_stride, strides[0], workers, wanted)
    first, last = axes[0].outputs
    bounds = [(a, min(a + height, last)) for a in range(first, last, height)]
    jobs = list(product(*(axis.jobs for axis in axes)))
    steps = tuple(
        tuple(_step(job, bound, axes, strides, (together - 1) * image_stride, target)
              for job in jobs)
        for bound in bounds
    )  # fmt: skip
    extents = [high - low for low, high in (axis.seen for axis in axes)]
    extents[0] = height + axes[0].reach[1] - axes[0].reach[0]
    used = sum((extent - 1) * stride for extent, stride in zip(extents, strides, strict=True)) + 1
    phase_stride = odd_lines((together - 1) * image_stride + used + slack)
    direct = None
    shortest = min(step.length for strip in steps for step in strip)
    if together == phases == 1 and shortest >= slack and not pixels:
        direct = _direct(axes, pitches, bounds)
    if direct is not None:
        phase_stride = prod(source)
    taps = [_taps(job, strides, phase_stride, [len(axis.phases) for axis in axes]) for job in jobs]
    return Plan(
        together=together,
        units=-(-n // together) * len(bounds),
        strips=len(bounds),
        image_stride=image_stride,
        phase_stride=phase_stride,
        phases=phases,
        direct=direct,
        loads=tuple(_loads(bound, axes, strides, phase_stride, source) for bound in bounds),
        steps=steps,
        taps=tuple(offsets for offsets, _ in taps),
        tap_numbers=tuple(numbers for _, numbers in taps),
        load_stride=axes[2].phases[0].step,
        store_stride=axes[2].jobs[0].outputs.step,
    )


def _cut(n: int, axis: Axis, image: int, row: int, workers: int, wanted: int) -> tuple[int, int]:
    """How many images, and how many rows of outputs, make a unit of about `wanted` pixels."""
    rows = axis.outputs[1] - axis.outputs[0]
    strips = max(1, round(image / wanted))
    if strips > 1 or n < workers:
        strips = max(strips, -(-workers // n))
        return 1, max(1, -(-rows // strips))
    groups = -(-n // max(1, wanted // image))
    groups = min(n, -(-groups // workers) * workers)
    return -(-n // groups), rows


def _step(job: tuple[Job, ...], bound, axes, strides, other_images: int, target: Sizes) -> Step:
    low, high = (min(max(b, job[0].outputs.first), job[0].outputs.last) for b in bound)
    first = (low, job[1].outputs.first, job[2].outputs.first)
    last = (high, job[1].outputs.last, job[2].outputs.last)
    if low >= high:
        return Step(0, 0, 0, np.empty((0, 3), np.int64))
    base = _base(axes, bound)
    run = sum((f - b) * s for f, b, s in zip(first, base, strides, strict=True))
    length = sum((z - f - 1) * s for z, f, s in zip(last, first, strides, strict=True)) + 1
    sizes = _three(target)
    rows = [
        (
            (a - first[0]) * strides[0] + (b - first[1]) * strides[1],
            (_pixel(job[0].outputs, a) * sizes[1] + _pixel(job[1].outputs, b)) * sizes[2]
            + job[2].outputs.pixel,
            last[2] - first[2],
        )
        for a in range(low, high)
        for b in range(first[1], last[1])
    ]
    return Step(run, other_images + length, length, np.array(rows, np.int64))


def _loads(bound, axes, strides, phase_stride: int, source: Sizes) -> np.ndarray:
    """The runs that bring one strip of one channel into the flat buffer, zeros outside."""
    base, sizes = _base(axes, bound), _three(source)
    seen = [axis.seen for axis in axes]
    seen[0] = (base[0], bound[1] + axes[0].reach[1])
    rows = []
    for number, phase in enumerate(product(*(axis.phases for axis in axes))):
        inside = [
            range(max(p.first, low), min(p.last, high))
            for p, (low, high) in zip(phase, seen, strict=True)
        ]
        if not inside[2]:
            continue
        for a in range(*seen[0]):
            for b in inside[1]:
                flat = sum(
                    (place - start) * stride
                    for place, start, stride in zip((a, b, inside[2].start), base, strides,
                                                    strict=True)
                )  # fmt: skip
                place = -1
                if a in inside[0]:
                    line = _pixel(phase[0], a) * sizes[1] + _pixel(phase[1], b)
                    place = line * sizes[2] + _pixel(phase[2], inside[2].start)
                rows.append((number * phase_stride + flat, place, len(inside[2])))
    return np.array(rows, np.int64).reshape(-1, 3)


def _taps(job: tuple[Job, ...], strides, phase_stride: int, phases: Sequence[int]):
    """Offsets and numbers of the taps of a job, the numbers counted over one job's kernel."""
    offsets, numbers = [], []
    for tap in product(*(each.taps for each in job)):
        phase = 0
        for (number, _, _), count in zip(tap, phases, strict=True):
            phase = phase * count + number
        shift = sum(s * stride for (_, s, _), stride in zip(tap, strides, strict=True))
        offsets.append(phase * phase_stride + shift)
        numbers.append(tuple(number for _, _, number in tap))
    return np.array(offsets, np.int64), np.array(numbers, np.int64).reshape(-1, 3)


def _direct(axes, pitches, bounds) -> tuple[int, ...] | None:
    """Where each strip starts in the image itself, if every place that is seen is a pixel."""
    for axis, pitch in zip(axes, pitches, strict=True):
        (phase,), (first, last) = axis.phases, axis.seen
        if phase.step != 1 or first < phase.first or last > phase.last:
            return None
        if axis is not axes[0] and pitch != axis.size:
            return None
    starts = []
    for bound in bounds:
        pixels = [
            _pixel(axis.phases[0], b) for axis, b in zip(axes, _base(axes, bound), strict=True)
        ]
        starts.append((pixels[0] * axes[1].size + pixels[1]) * axes[2].size + pixels[2])
    return tuple(starts)


def _base(axes, bound) -> tuple[int, ...]:
    """The first places of a strip."""
    return (bound[0] + axes[0].reach[0], axes[1].seen[0], axes[2].seen[0])


def _pixel(phase: Phase, place: int) -> int:
    return phase.pixel + (place - phase.first) * phase.step


def _three(sizes: Sizes) -> Sizes:
    return (*sizes[:-1], *(1,) * (3 - len(sizes)), sizes[-1])


def odd_lines(floats: int) -> int:
    """An odd number of cache lines, so that channels do not all fall into the same ones."""
    return (-(-floats // 16) | 1) * 16
