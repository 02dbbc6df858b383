"""What one thread of a Winograd convolution runs: the loops around the transforms and products.

A unit of work is a few images, or one strip of the rows of one image; the tables come from
`winograd.py`. What is moved to the points, the input or an output's gradient, is an operand with
its own fields: `flat` is where its pixels are in the flat buffer, a pixel holding all channels.
"""

from __future__ import annotations

from .assembly import Function, Value
from .drivers import Share, record
from .machine import Machine
from .winograd_tiles import POINTS


def _operand(name: str) -> str:
    fields = "channels plane flat row image points* size point stride transform*"
    return " ".join([f"{name}*", *(f"{name}_{field}" for field in fields.split())])


def _seen(name: str) -> str:
    fields = "first count places* top bottom rest"
    return " ".join(f"{name}_{field}" for field in fields.split())


COMMON = f"flat* flat_size bounds* images together strips strip_table* spread* {_operand('x')}"
WINOGRAD = f"""{COMMON} y* z* z_size z_row filters out_plane m* m_size m_point m_stride u* u_point
    u_block bias* tile_rows tile_filters blocks multiply* from_points* collect*"""
WINOGRAD_WEIGH = f"""{COMMON} {_operand("y")} d* d_size d_point d_stride tile_rows row_blocks
    tile_filters blocks accumulate*"""
STRIP = f"{_seen('x')} {_seen('y')} tiles* tile_count"
TILE = "x y"
PACK = """w* u* bounds* channels filters filter_stride channel_stride tile_filters columns
    u_point u_block transform*"""
UNPACK = """d* dw* w* bounds* places* workers filters channels d_size d_point d_stride transform*
    spread*"""


def winograd(machine: Machine, name: str) -> Function:
    """Move tiles to the points, multiply there, and write tiles; for each unit of a worker."""
    share = Share(machine, name, WINOGRAD)
    f, a = share.function, share.arguments
    m, z = a["m"] + share.worker * a["m_size"], a["z"] + share.worker * a["z_size"]
    with share.units() as (first_image, number):
        # the last unit may repeat images of the one before: the same numbers again
        image = f.smaller(first_image, a["images"] - a["together"])
        strip = share.record("strip_table", number, STRIP)
        v, tiles = move_to_points(share, "x", image, a["together"], strip)
        with f.loop(POINTS) as point, f.loop(a["blocks"]) as block:
            filter_ = f.smaller(block * a["tile_filters"], a["filters"] - a["tile_filters"])
            weights = a["u"] + point * a["u_point"] + block * a["u_block"]
            count = (tiles + (a["tile_rows"] - 1)) // a["tile_rows"]
            with f.loop(count) as number:
                # fewer tiles than a block has rows: the others hold old numbers, which nobody reads
                row = f.larger(f.smaller(number * a["tile_rows"], tiles - a["tile_rows"]), 0)
                f.call(
                    a["multiply"], v + point * a["x_point"] + row * a["x_stride"], weights,
                    m + point * a["m_point"] + row * a["m_stride"] + filter_, a["x_channels"],
                    a["m_stride"],
                )  # fmt: skip
        with f.loop(a["together"]) as number:
            with f.loop(strip["tile_count"]) as place:
                tile = record(f, strip["tiles"], place, TILE)
                row = number * strip["tile_count"] + place
                f.call(
                    a["from_points"], m + row * a["m_stride"], z + tile["y"], a["bias"],
                    a["z_row"], a["filters"], a["m_point"],
                )  # fmt: skip
            plane = (image + number) * a["filters"] * a["out_plane"]
            f.call(
                a["collect"], z, a["y"] + plane + strip["y_first"], a["out_plane"],
                strip["y_count"], a["filters"],
            )  # fmt: skip
    return f


def winograd_weigh(machine: Machine, name: str) -> Function:
    """Move tiles of images and of their gradients to the points and add up their products."""
    share = Share(machine, name, WINOGRAD_WEIGH)
    f, a = share.function, share.arguments
    d = a["d"] + share.worker * a["d_size"]
    f.clear(d, a["d_size"])
    with share.units() as (image, number):
        here = f.smaller(a["images"] - image, a["together"])
        strip = share.record("strip_table", number, STRIP)
        v, tiles = move_to_points(share, "x", image, here, strip)
        z, _ = move_to_points(share, "y", image, here, strip)
        with f.loop(POINTS) as point, f.loop(a["blocks"]) as block:
            filter_ = block * a["tile_filters"]
            with f.loop(a["row_blocks"]) as number:
                # beyond the last channel and filter lie other numbers; their sums are not read
                channel = number * a["tile_rows"]
                f.call(
                    a["accumulate"], v + point * a["x_point"] + channel,
                    z + point * a["y_point"] + filter_,
                    d + point * a["d_point"] + channel * a["d_stride"] + filter_, tiles,
                    a["x_stride"], a["y_stride"], a["d_stride"],
                )  # fmt: skip
    return f


def move_to_points(
    share: Share, name: str, image: Value, count: Value, strip: dict[str, Value]
) -> tuple[Value, Value]:
    """Bring a strip of `count` images to the points; where they are then, and how many tiles."""
    f, a = share.function, share.arguments
    channels, plane, pixel_row = (a[f"{name}_{field}"] for field in ("channels", "plane", "row"))
    points = a[f"{name}_points"] + share.worker * a[f"{name}_size"]
    flat = a["flat"] + share.worker * a["flat_size"] + a[f"{name}_flat"]
    with f.loop(count) as number:
        here = flat + number * a[f"{name}_image"]
        f.clear(here, strip[f"{name}_top"])
        f.clear(here + strip[f"{name}_bottom"], strip[f"{name}_rest"])
        source = a[name] + (image + number) * channels * plane + strip[f"{name}_first"]
        f.call(
            a["spread"], source, here, strip[f"{name}_places"], plane, strip[f"{name}_count"],
            channels,
        )  # fmt: skip
        with f.loop(strip["tile_count"]) as place:
            tile = record(f, strip["tiles"], place, TILE)
            row = number * strip["tile_count"] + place
            f.call(
                a[f"{name}_transform"], here + tile[name], points + row * a[f"{name}_stride"],
                pixel_row, channels, channels, a[f"{name}_point"],
            )  # fmt: skip
    return points, count * strip["tile_count"]


def winograd_pack(machine: Machine, name: str) -> Function:
    """Filters at the 36 points, in the order the products read them: point, block, channel."""
    share = Share(machine, name, PACK)
    f, a = share.function, share.arguments
    first, last = share.bounds("bounds")
    with f.loop(last, start=first) as number:
        block = number // a["columns"]
        column = (number - block * a["columns"]) * f.lanes
        filter_ = f.smaller(block * a["tile_filters"], a["filters"] - a["tile_filters"]) + column
        f.call(
            a["transform"], a["w"] + filter_ * a["filter_stride"],
            a["u"] + block * a["u_block"] + column, a["channels"], a["filter_stride"],
            a["channel_stride"], a["tile_filters"], a["u_point"],
        )  # fmt: skip
    return f


def winograd_unpack(machine: Machine, name: str) -> Function:
    """From the sums of all workers at the points back to filters, a vector of filters at a time."""
    share = Share(machine, name, UNPACK)
    f, a = share.function, share.arguments
    entries = a["channels"] * 9
    lines = a["w"] + share.worker * entries * f.lanes
    first, last = share.bounds("bounds")
    with f.loop(last, start=first) as number:
        filter_ = f.smaller(number * f.lanes, a["filters"] - f.lanes)
        f.call(
            a["transform"], a["d"] + filter_, lines, a["channels"], a["workers"], a["d_size"],
            a["d_point"], a["d_stride"],
        )  # fmt: skip
        f.call(
            a["spread"], lines, a["dw"] + filter_ * entries, a["places"], f.integer(f.lanes),
            f.integer(f.lanes), entries,
        )  # fmt: skip
    return f
