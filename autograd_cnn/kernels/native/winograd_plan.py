"""Where everything lies in a Winograd convolution: units, strips, pixels with all their channels.

The flat buffer holds the pixels that one unit's tiles see, with zeros around the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..specs import Sizes
from .launch import table
from .plan import odd_lines
from .winograd_drivers import STRIP
from .winograd_tiles import POINTS


@dataclass(frozen=True)
class Cut:
    """How the tiles of N images are shared out: `together` images or strips of `rows` rows."""

    images: int
    down: int  # tiles of one image
    across: int
    together: int
    rows: int

    @property
    def strips(self) -> list[tuple[int, int]]:
        return [(a, min(a + self.rows, self.down)) for a in range(0, self.down, self.rows)]

    @property
    def units(self) -> int:
        return -(-self.images // self.together) * len(self.strips)

    @property
    def tiles(self) -> int:
        """The most tiles of one unit."""
        return self.together * self.rows * self.across


def cut(n: int, size: Sizes, workers: int, wanted: int) -> Cut:
    """Units of about `wanted` tiles, and at least one for each worker where that is possible."""
    down, across = (-(-extent // 4) for extent in size)
    strips = max(1, round(down * across / wanted))
    if strips > 1 or n < workers:
        strips = min(down, max(strips, -(-workers // n)))
        return Cut(n, down, across, 1, -(-down // strips))
    groups = -(-n // max(1, wanted // (down * across)))
    groups = min(n, -(-groups // workers) * workers)
    return Cut(n, down, across, -(-n // groups), down)


@dataclass(frozen=True)
class Operand:
    """What is moved to the points: N×C×H×W, `before` zeros above and left, tiles 4 pixels apart."""

    channels: int
    size: Sizes
    before: Sizes
    patch: int  # pixels along a side of what one tile sees
    width: int  # pixels of a row of the flat buffer, zeros included
    cut: Cut

    @property
    def row(self) -> int:
        return self.width * self.channels

    @property
    def image(self) -> int:
        """Entries of one image's strip in the flat buffer."""
        return (4 * self.cut.rows + self.patch - 4) * self.row

    @property
    def flat_size(self) -> int:
        return self.cut.together * self.image

    @property
    def stride(self) -> int:
        return odd_lines(self.channels)

    def words(self, name: str, flat: int, transform: int, rows: int = 0) -> dict[str, int]:
        """The fields of an operand, its address and that of its points left open."""
        point = odd_lines(max(self.cut.tiles, rows) * self.stride)
        values = dict(
            channels=self.channels, plane=self.size[0] * self.size[1], flat=flat, row=self.row,
            image=self.image, points=0, size=POINTS * point, point=point, stride=self.stride,
            transform=transform,
        )  # fmt: skip
        return {name: 0} | {f"{name}_{field}": value for field, value in values.items()}

    def strip(self, bound: tuple[int, int]) -> dict[str, int | np.ndarray]:
        """Which pixels the tiles of a strip see, where these go, and where zeros belong."""
        (height, width), (above, left) = self.size, self.before
        top = 4 * bound[0] - above
        rows = range(max(top, 0), min(4 * bound[1] - above + self.patch - 4, height))
        end = max(rows.stop - top, 0)
        begin = min(rows.start - top, end)
        places = [
            (r - top) * self.row + (c + left) * self.channels for r in rows for c in range(width)
        ]
        return dict(
            first=rows.start * width, count=len(places), places=np.array(places, np.int64),
            top=begin * self.row, bottom=end * self.row, rest=self.image - end * self.row,
        )  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What is made of tiles: pixels with all their channels, then N×C×H×W."""

    channels: int
    size: Sizes
    cut: Cut

    @property
    def row(self) -> int:
        return self.size[1] * self.channels

    @property
    def flat_size(self) -> int:
        return 4 * self.cut.rows * self.row

    def strip(self, bound: tuple[int, int]) -> dict[str, int | np.ndarray]:
        """Which pixels are those of a strip."""
        (height, width), first = self.size, 4 * bound[0]
        count = (min(4 * bound[1], height) - first) * width
        return dict(first=first * width, count=count, places=0, top=0, bottom=0, rest=0)


def strip_table(cut: Cut, x: Operand, y: Operand | Result, tiles: list[np.ndarray]):
    """The records of all strips, and the arrays that they point to."""
    records = []
    for bound, own in zip(cut.strips, tiles, strict=True):
        values: dict[str, int | np.ndarray] = dict(tiles=own, tile_count=len(own))
        for name, seen in (("x", x.strip(bound)), ("y", y.strip(bound))):
            values |= {f"{name}_{field}": value for field, value in seen.items()}
        records.append(values)
    return np.array([table(STRIP, **values) for values in records]), records


def too_short(cut: Cut, x: Operand, y: Operand | Result, lanes: int) -> bool:
    """Whether a strip has some pixels, but too few to fill a vector."""
    counts = [each.strip(bound)["count"] for bound in cut.strips for each in (x, y)]
    return any(0 < count < lanes for count in counts)
