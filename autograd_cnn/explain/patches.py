"""The patches of a data set that excite each channel of a layer most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..errors import ShapeError, shape_text
from ..graphs.receptive import ReceptiveField, receptive_fields
from ..inspection import as_variable
from ..tape import history, node_of
from ..tensor import Tensor
from .chunks import MAX_BYTES, samples_that_fit, slices, tracked
from .gradient import deconvnet
from .layers import Layer, activation
from .target import Unit


class Patch(NamedTuple):
    """What excites a unit: an image of the data set, a place of the channel, and what it sees."""

    image: int
    """The number of the image."""
    channel: int
    position: tuple[int, ...]
    """The place in the channel."""
    activation: float
    rows: slice
    """The rows of the image that the unit sees, those outside the image cut off."""
    columns: slice

    def crop(self, images: Any) -> np.ndarray:
        """The patch itself, C×h×w."""
        images = images.numpy() if isinstance(images, Tensor) else np.asarray(images)
        return images[self.image][:, self.rows, self.columns]


def top_patches(
    model: Callable,
    x: Any,
    layer: Layer,
    count: int = 9,
    channels: Any = None,
    max_bytes: int | None = MAX_BYTES,
    progress: bool | None = None,
) -> dict[int, list[Patch]]:
    """For each channel of a layer its `count` strongest patches, from different images.

    The box is the receptive field of the unit, found on the tape. Source: Zeiler and Fergus 2014,
    figure 2 (top 9 of each feature map).

    Raises ShapeError for a layer without places, ValueError where the field is no box.
    """
    x = as_variable(x).detach()
    size = samples_that_fit(lambda part: activation(model, part, layer), x, max_bytes)
    parts = list(slices(x.shape[0], size))
    values, places = [], []
    for part in tracked(parts, len(parts), "looking for patches", progress):
        a = activation(model, x[part], layer).numpy()
        if a.ndim != 4:
            raise ShapeError(
                f"patches: a layer that gives N×K×H×W is needed, {layer!r} gives "
                f"{shape_text(a.shape)}"
            )
        flat = a.reshape(*a.shape[:2], -1)
        places.append(flat.argmax(axis=2))
        values.append(flat.max(axis=2))
        grid = a.shape[2:]
    strongest, where = np.concatenate(values), np.concatenate(places)
    field = receptive_field(model, x[:1], layer)
    wanted = range(strongest.shape[1]) if channels is None else np.atleast_1d(channels).tolist()
    found = {}
    for channel in wanted:
        order = np.argsort(-strongest[:, channel], kind="stable")[:count]
        found[channel] = [
            _patch(int(n), channel, where[n, channel], strongest[n, channel], grid, field, x)
            for n in order
        ]
    return found


def receptive_field(model: Callable, x: Any, layer: Layer) -> ReceptiveField:
    """The pixels that each place of a layer's output sees (see `ag.graphs`).

    >>> import numpy as np
    >>> from autograd_cnn import explain, nn
    >>> net = nn.Sequential(a=nn.Conv2d(1, 2, 3), pool=nn.MaxPool2d(2), b=nn.Conv2d(2, 2, 3)).eval()
    >>> explain.receptive_field(net, np.zeros((1, 1, 12, 12), np.float32), "b").size
    (8, 8)

    Raises ValueError where it is no box that moves evenly.
    """
    x = as_variable(x)
    output = activation(model, x[:1] if x.shape[0] > 1 else x, layer, recorded=True)
    # weights may have been recorded earlier than x: the image is x
    tape = [node for node in history([node_of(output)]) if node.parents or node is node_of(x)]
    field = receptive_fields(tape).get(node_of(output))
    if field is None:
        raise ValueError(f"the receptive field of {layer!r} is no box that moves evenly")
    return field


def projections(model: Callable, x: Any, layer: Layer, patches: list[Patch]) -> list[np.ndarray]:
    """Each patch's unit projected to the pixels by the deconvnet, cut to its box: C×h×w."""
    values = x.numpy() if isinstance(x, Tensor) else np.asarray(x)
    images = values[[patch.image for patch in patches]]
    unit = Unit(
        layer,
        channel=[patch.channel for patch in patches],
        position=[patch.position for patch in patches],
    )
    maps = deconvnet(model, images, unit).numpy()
    return [one[:, patch.rows, patch.columns] for one, patch in zip(maps, patches, strict=True)]


def _patch(
    image: int, channel: int, place: Any, value: Any, grid: Any, field: ReceptiveField, x: Tensor
) -> Patch:
    position = tuple(int(i) for i in np.unravel_index(int(place), grid))
    if field.whole:
        rows, columns = (slice(0, n) for n in x.shape[2:])
    else:
        rows, columns = (
            slice(max(0, first), min(n, last + 1))
            for (first, last), n in zip(field.box(position), x.shape[2:], strict=True)
        )
    return Patch(image, channel, position, float(value), rows, columns)
