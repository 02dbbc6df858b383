"""Small grey pictures of feature maps, as PNG, written by hand: no imaging library is needed."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from math import ceil

import numpy as np

SIDE = 20


def thumbnails(array: np.ndarray, count: int) -> tuple[bytes, ...]:
    """The first `count` channels of the first image of N×C×H×W as PNG, at most 20×20 pixels each.

    All of one array share a scale, from its smallest (black) to its largest finite entry (white);
    NaN and infinity are black. Of anything but images there are none.
    """
    if count == 0 or array.ndim != 4 or min(array.shape) == 0 or max(array.shape[2:]) == 1:
        return ()
    chosen = array[0, :count].astype(np.float64)
    step = ceil(max(chosen.shape[1:]) / SIDE)
    small = np.stack([_shrunk(image, step) for image in chosen])
    finite = small[np.isfinite(small)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    scaled = (small - low) * (255.0 / (high - low if high > low else 1.0))
    pixels = np.nan_to_num(scaled, nan=0.0, posinf=0.0, neginf=0.0).round().astype(np.uint8)
    return tuple(png(image) for image in pixels)


def png(pixels: np.ndarray) -> bytes:
    """A grey image H×W of bytes as a PNG file."""
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def data_uri(image: bytes) -> str:
    """A PNG as the address of itself."""
    return "data:image/png;base64," + b64encode(image).decode()


def _shrunk(image: np.ndarray, step: int) -> np.ndarray:
    """The means of step×step squares; the last ones may be smaller."""
    if step == 1:
        return image
    down = np.add.reduceat(image, np.arange(0, image.shape[0], step), 0)
    both = np.add.reduceat(down, np.arange(0, image.shape[1], step), 1)
    heights = np.diff([*range(0, image.shape[0], step), image.shape[0]])
    widths = np.diff([*range(0, image.shape[1], step), image.shape[1]])
    return both / np.outer(heights, widths)
