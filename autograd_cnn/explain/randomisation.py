"""Sanity check: does an explanation notice when the network forgets what it learned?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

import numpy as np

from ..errors import ShapeError, shape_text
from ..inspection import check_evaluating
from ..nn import Module
from ..tape import no_grad, observe
from ..tensor import Tensor
from .chunks import tracked
from .layers import Layers
from .target import Target, classes_of


@dataclass(frozen=True)
class Cascade:
    """How alike the maps are after each layer was randomised, from the top down."""

    layers: tuple[str, ...]
    """The layers, the last one first: row i of a method has all down to layer i randomised."""
    correlations: Mapping[str, np.ndarray]
    """By method the Spearman correlation with the map of the trained network, layers×N."""
    maps: Mapping[str, np.ndarray] = field(repr=False)
    """By method the maps, 1 + layers×N×…, the trained network's first."""

    def means(self) -> dict[str, list[float]]:
        """The mean correlation over the images, by method and layer."""
        return {name: rows.mean(axis=1).tolist() for name, rows in self.correlations.items()}

    def __str__(self) -> str:
        """A table: a row for each method, a column for each layer."""
        first = max(map(len, self.correlations))
        widths = [max(6, len(name)) + 2 for name in self.layers]
        cells = zip(self.layers, widths, strict=True)
        lines = [" " * first + "".join(f"{name:>{wide}}" for name, wide in cells)]
        for name, values in self.means().items():
            cells = zip(values, widths, strict=True)
            lines.append(f"{name:<{first}}" + "".join(f"{v:>{wide}.2f}" for v, wide in cells))
        return "\n".join(lines)


def cascading_randomisation(
    model: Module,
    methods: Mapping[str, Callable[[Module], Any]],
    x: Any,
    target: Target = None,
    layers: Sequence[str] | None = None,
    absolute: bool = False,
    seed: int = 0,
    progress: bool | None = None,
) -> Cascade:
    """Give layer after layer new random weights, from the top, and compare the maps.

    An explanation of what the network learned must change; one that stays, like guided backprop,
    shows the image and the architecture. Compared are the ranks of the maps (of |map| if
    `absolute`) by Spearman's correlation, the class being that of the trained network. `methods`
    makes a method for a model, by name: {"gradient": explain.Saliency}. The layers are all that
    have weights, in the order they run, last one first; convolutions and linear layers get the
    weights they would start with, normalisations a weight of 1 and a bias of 0 (their statistics
    stay). The model itself is left alone: a copy is changed.

    Source: Adebayo et al. 2018. Raises KeyError for a layer that is not there, ValueError for a
    model in training mode.
    """
    check_evaluating(model, "explain")
    names = _layers_in_order(model, x) if layers is None else tuple(layers)
    changed, generator = deepcopy(model), np.random.default_rng(seed)
    modules = dict(changed.named_modules())
    missing = [name for name in names if name not in modules]
    if missing:
        raise KeyError(f"no layer {missing[0]!r}; there are {', '.join(n for n in modules if n)}")
    target = _fixed(model, x, target)
    maps = {name: [_values(make(model), x, target)] for name, make in methods.items()}
    for layer in tracked(names, len(names), "randomising", progress):
        randomise(modules[layer], generator)
        for name, make in methods.items():
            maps[name].append(_values(make(changed), x, target))
    found = {name: np.stack(rows) for name, rows in maps.items()}
    correlations = {
        name: _correlations(np.abs(rows) if absolute else rows) for name, rows in found.items()
    }
    return Cascade(names, correlations, found)


def spearman(a: Any, b: Any) -> float:
    """The correlation of the ranks of two arrays, ties sharing their mean rank (Spearman 1904).

    0 where one of them is constant.

    >>> import autograd_cnn as ag
    >>> ag.explain.spearman([1.0, 2.0, 3.0], [10.0, 11.0, 100.0])
    1.0

    Raises ShapeError for arrays of different size.
    """
    a, b = np.ravel(a), np.ravel(b)
    if a.shape != b.shape:
        raise ShapeError(f"spearman: {shape_text(a.shape)} and {shape_text(b.shape)} values")
    ranks = [_ranks(values) - (len(values) - 1) / 2 for values in (a, b)]
    scale = sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum() / scale) if scale else 0.0


def randomise(module: Module, generator: np.random.Generator) -> None:
    """New weights, as a layer starts with: uniform within ±1/√n for n inputs a unit."""
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    if isinstance(weight, Tensor):
        if weight.ndim == 1:
            weight.assign(np.ones(weight.shape, weight.dtype))
            if isinstance(bias, Tensor):
                bias.assign(np.zeros(bias.shape, bias.dtype))
            return
        limit = 1.0 / sqrt(prod(weight.shape[1:]))
        for parameter in (weight, bias):
            if isinstance(parameter, Tensor):
                values = generator.uniform(-limit, limit, parameter.shape)
                parameter.assign(values.astype(parameter.dtype))


def _layers_in_order(model: Module, x: Any) -> tuple[str, ...]:
    """The layers with weights, as they run, the last one first."""
    layers, paths = Layers(model), {module: path for path, module in model.named_modules()}
    values = x if isinstance(x, Tensor) else Tensor(np.asarray(x))
    with no_grad(), observe(layers):
        model(values[:1])
    ran = [
        paths[module]
        for module in layers.modules()
        if module in paths and isinstance(vars(module).get("weight"), Tensor)
    ]
    return tuple(dict.fromkeys(reversed(ran)))


def _fixed(model: Module, x: Any, target: Target) -> Target:
    if target is not None:
        return target
    values = x if isinstance(x, Tensor) else Tensor(np.asarray(x))
    with no_grad():
        return classes_of(model(values), None)


def _values(method: Any, x: Any, target: Target) -> np.ndarray:
    return method.attribute(x, target).numpy()


def _correlations(maps: np.ndarray) -> np.ndarray:
    """Of each map with the first of its sample, layers×N."""
    return np.array(
        [[spearman(a, b) for a, b in zip(maps[0], row, strict=True)] for row in maps[1:]]
    )


def _ranks(values: np.ndarray) -> np.ndarray:
    """0 … n − 1, ties sharing their mean."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts + 1) / 2)[place.ravel()]
