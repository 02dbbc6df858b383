"""What the entries along one axis see of one axis of the image: intervals that repeat.

Entry q·P + r, with P = len(windows), sees the pixels windows[r] moved by q·step. A convolution
with stride s has P = 1 and step s; an image enlarged twice has P = 2 and step 1. An interval is
(first, last), and None where an entry sees nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import gcd, lcm

Interval = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Along:
    """Intervals of the image's axis `axis`, counted among its spatial ones."""

    axis: int
    step: int
    windows: tuple[Interval, ...]

    def at(self, i: int) -> Interval:
        """What entry i sees, were the axis endless."""
        period, r = divmod(i, len(self.windows))
        window, move = self.windows[r], period * self.step
        return None if window is None else (window[0] + move, window[1] + move)

    def read(self, stride: int, offsets: Iterable[int]) -> Along:
        """Along an axis whose entry i reads the entries i·stride + offset of this one."""
        offsets = list(offsets)
        period = len(self.windows) // gcd(len(self.windows), stride)
        step = self.step * period * stride // len(self.windows)
        return self._of(period, step, [
            hull(self.at(r * stride + offset) for offset in offsets) for r in range(period)
        ])  # fmt: skip

    def through(self, pattern: Along) -> Along:
        """Along an axis whose entry i reads the entries pattern.at(i) of this one."""
        mine, theirs = len(self.windows), len(pattern.windows)
        rounds = mine // gcd(mine, pattern.step)
        windows: list[Interval] = []
        for r in range(rounds * theirs):
            read = pattern.at(r)
            entries = range(read[0], read[1] + 1) if read else ()
            windows.append(hull(self.at(i) for i in entries))
        return self._of(len(windows), self.step * rounds * pattern.step // mine, windows)

    def spread(self, stride: int, kernel: int, dilation: int, before: int) -> Along:
        """Along an axis to whose entry j·stride + q·dilation − before entry j adds, q < kernel."""
        windows: list[Interval] = []
        for r in range(stride * len(self.windows)):
            taps = (r + before - q * dilation for q in range(kernel))
            windows.append(hull(self.at(tap // stride) for tap in taps if tap % stride == 0))
        return self._of(len(windows), self.step, windows)

    def repeated(self, times: int) -> Along:
        """Along an axis where each entry of this one stands several times."""
        windows = [window for window in self.windows for _ in range(times)]
        return self._of(len(windows), self.step, windows)

    def joined(self, other: Along) -> Along | None:
        """Around both; None where they move at different speeds."""
        if self == other:
            return self
        mine, theirs = len(self.windows), len(other.windows)
        if self.axis != other.axis or self.step * theirs != other.step * mine:
            return None
        period = lcm(mine, theirs)
        windows = [hull((self.at(r), other.at(r))) for r in range(period)]
        return self._of(period, self.step * period // mine, windows)

    def _of(self, period: int, step: int, windows: list[Interval]) -> Along:
        """With the shortest period that says the same."""
        found = Along(self.axis, step, tuple(windows))
        for shorter in range(1, period):
            if period % shorter == 0 and step * shorter % period == 0:
                small = Along(self.axis, step * shorter // period, found.windows[:shorter])
                if all(small.at(r) == found.windows[r] for r in range(period)):
                    return small
        return found


def hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval around several; None around nothing."""
    known = [interval for interval in intervals if interval is not None]
    if not known:
        return None
    return min(first for first, _ in known), max(last for _, last in known)


def repeating(axis: int, bands: tuple[Interval, ...], size: int) -> Along | None:
    """The pattern behind the intervals that each entry reads of `size` entries.

    An interval that ends at a border may have been cut there, so that only the others count; None
    where those do not repeat.
    """
    count = len(bands)
    whole = [i for i, band in enumerate(bands) if band is None or (band[0] and band[1] < size - 1)]
    for outputs, inputs in ((count, size), (count - 1, size - 1)):
        shared = gcd(outputs, inputs)
        if outputs < 1 or inputs < 1 or not whole:
            continue
        period, step = outputs // shared, inputs // shared
        windows: dict[int, Interval] = {}
        for i in whole:
            moves, r = divmod(i, period)
            band = bands[i]
            moved = None if band is None else (band[0] - moves * step, band[1] - moves * step)
            if windows.setdefault(r, moved) != moved:
                break
        else:
            if len(windows) == period:
                return Along(axis, step, tuple(windows[r] for r in range(period)))
    return None
