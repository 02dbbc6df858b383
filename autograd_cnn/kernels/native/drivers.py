"""What one thread runs: the loops around the tiles, over images, strips, groups and filters.

Every number and address comes from tables that `conv.py` fills in, so one driver serves every
geometry. A unit of work is a few images together, or one strip of the rows of one image.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .assembly import INTEGER, POINTER, Function, Value
from .machine import Machine

COMMON = """x* y* flat* flat_size bounds* images together strips strip_table* step_table* channels
    filters in_plane out_plane channel_stride image_stride gather* direct"""
CONVOLVE = f"{COMMON} jobs groups rows blocks z* z_size z_stride scatter* bias* packed*"
WEIGH = f"""{COMMON} lines* lines_size line_stride fetch* dw* dw_size entries block_bounds*
    row_blocks* column_blocks* column_count offsets* tiles*"""
STRIP = "load_table* load_count direct_offset"
STEP = """run length big small big_pixels small_pixels big_limit small_limit big_tile* small_tile*
    table* count taps* tap_count weights"""
PACK = """w* packed* bounds* taps* tap_count rows blocks group_filters channels filter_stride
    channel_stride group_stride"""


def convolve(machine: Machine, name: str) -> Function:
    """Load images, run the tiles into `z`, move `z` to the output; for each unit of a worker."""
    share = Share(machine, name, CONVOLVE)
    f, a = share.function, share.arguments
    z = a["z"] + share.worker * a["z_size"]
    group_channels, group_filters = a["channels"] // a["groups"], a["filters"] // a["groups"]
    with share.units() as (first_image, strip):
        # the last unit may repeat images of the one before: the same numbers again
        image = f.smaller(first_image, a["images"] - a["together"])
        source = share.load_images(image, a["together"], strip)
        with f.loop(a["jobs"]) as job:
            step = share.record("step_table", strip * a["jobs"] + job, STEP)
            with f.loop(a["groups"]) as group, f.loop(a["blocks"]) as block:
                inside = f.smaller(block * a["rows"], group_filters - a["rows"])
                filter_ = group * group_filters + inside
                x = source + group * group_channels * a["channel_stride"] + step["run"]
                block_weights = group_channels * step["tap_count"] * a["rows"]
                number = group * a["blocks"] + block
                weights = a["packed"] + step["weights"] + number * block_weights
                for size, done in (("big", f.integer(0)), ("small", step["big"])):
                    pixels, limit = step[f"{size}_pixels"], step[f"{size}_limit"]
                    before = done * step["big_pixels"]
                    with f.loop(step[size]) as number:
                        place = f.smaller(before + number * pixels, limit)
                        f.call(
                            step[f"{size}_tile"], x + place, weights, z + place,
                            a["bias"] + filter_, step["taps"], step["tap_count"], group_channels,
                            a["channel_stride"], a["z_stride"],
                        )  # fmt: skip
                with f.loop(a["together"]) as number, f.loop(a["rows"]) as row:
                    plane = (image + number) * a["filters"] + filter_ + row
                    f.call(
                        a["scatter"], z + row * a["z_stride"] + number * a["image_stride"],
                        a["y"] + plane * a["out_plane"], step["table"], step["count"],
                    )  # fmt: skip
    return f


def weigh(machine: Machine, name: str) -> Function:
    """Load images and their gradients flat, and add up the tiles of the weights' gradient."""
    share = Share(machine, name, WEIGH)
    f, a = share.function, share.arguments
    lines = a["lines"] + share.worker * a["lines_size"]
    dw = a["dw"] + share.worker * a["dw_size"]
    f.clear(lines, a["lines_size"])
    first_block, last_block = share.bounds("block_bounds")
    with share.units() as (image, strip):
        here = f.smaller(a["images"] - image, a["together"])
        with f.when(here < a["together"]):
            f.clear(lines, a["lines_size"])
        source = share.load_images(image, here, strip)
        step = share.record("step_table", strip, STEP)
        with f.loop(here) as number, f.loop(a["filters"]) as filter_:
            plane = (image + number) * a["filters"] + filter_
            f.call(
                a["fetch"], lines + filter_ * a["line_stride"] + number * a["image_stride"],
                a["y"] + plane * a["out_plane"], step["table"], step["count"],
            )  # fmt: skip
        x = source + step["run"]
        length = (here - 1) * a["image_stride"] + step["length"]
        vectors = (length + (f.lanes - 1)) // f.lanes
        with f.loop(last_block, start=first_block) as block:
            row = share.record("row_blocks", block, "filter channel_offset kind")
            y, target = lines + row["filter"] * a["line_stride"], dw + row["filter"] * a["entries"]
            with f.loop(a["column_count"]) as number:
                column = share.record("column_blocks", number, "entry kind")
                tile = f.load(f.step(a["tiles"], row["kind"] + column["kind"], POINTER), POINTER)
                f.call(
                    tile, x + row["channel_offset"], y, target + column["entry"],
                    f.step(a["offsets"], column["entry"], INTEGER), vectors,
                    a["line_stride"], a["entries"],
                )  # fmt: skip
    return f


def pack(machine: Machine, name: str) -> Function:
    """Filters in the order the tiles read them: group, block, channel, tap, row of the tile."""
    share = Share(machine, name, PACK)
    f, a = share.function, share.arguments
    first, last = share.bounds("bounds")
    taps, rows = a["tap_count"], a["rows"]
    with f.loop(last, start=first) as number:
        group = number // a["blocks"]
        block = number - group * a["blocks"]
        filter_ = f.smaller(block * rows, a["group_filters"] - rows)
        source = a["w"] + group * a["group_stride"] + filter_ * a["filter_stride"]
        target = a["packed"] + number * a["channels"] * taps * rows
        with f.loop(a["channels"]) as channel, f.loop(taps) as tap:
            place = f.load(f.step(a["taps"], tap, INTEGER), INTEGER)
            here = source + channel * a["channel_stride"] + place
            there = target + (channel * taps + tap) * rows
            with f.loop(rows) as row:
                f.store(f.load(here + row * a["filter_stride"]), there + row)
    return f


class Share:
    """The beginning of a driver: its arguments by name, its units, and how images are loaded."""

    def __init__(self, machine: Machine, name: str, names: str) -> None:
        self.function = Function(name, "table* worker", machine.lanes)
        table, self.worker = self.function.arguments
        self.arguments = self.function.fields(table, names)

    def record(self, table: str, number: Value, names: str) -> dict[str, Value]:
        """Entry `number` of one of the tables among the arguments."""
        return record(self.function, self.arguments[table], number, names)

    def bounds(self, table: str) -> tuple[Value, Value]:
        """Where this worker's share begins and ends."""
        f = self.function
        here = f.step(self.arguments[table], self.worker * 2, INTEGER)
        return f.load(here, INTEGER), f.load(f.step(here, 1, INTEGER), INTEGER)

    @contextmanager
    def units(self) -> Iterator[tuple[Value, Value]]:
        """The block below for each unit of this worker: its first image and its strip."""
        f, a = self.function, self.arguments
        f.clear(a["flat"] + self.worker * a["flat_size"], a["flat_size"])
        first, last = self.bounds("bounds")
        with f.loop(last, start=first) as unit:
            group = unit // a["strips"]
            yield group * a["together"], unit - group * a["strips"]

    def load_images(self, image: Value, count: Value, strip: Value) -> Value:
        """Fill the flat buffer with a strip of `count` images; where the tiles find them."""
        f, a = self.function, self.arguments
        flat = a["flat"] + self.worker * a["flat_size"]
        record = self.record("strip_table", strip, STRIP)
        first = a["x"] + image * a["channels"] * a["in_plane"]
        with f.when(a["direct"] < 1), f.loop(count) as number, f.loop(a["channels"]) as channel:
            plane = number * a["channels"] + channel
            f.call(
                a["gather"], flat + channel * a["channel_stride"] + number * a["image_stride"],
                first + plane * a["in_plane"], record["load_table"], record["load_count"],
            )  # fmt: skip
        return f.choose(a["direct"] > 0, first + record["direct_offset"], flat)


def record(f: Function, table: Value, number: Value, names: str) -> dict[str, Value]:
    """Entry `number` of a table of records with these fields."""
    return f.fields(f.step(table, number * len(names.split()), INTEGER), names)
