"""Nested containers of tensors: dictionaries, lists, tuples and named tuples as trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .errors import ShapeError


def flatten(tree: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """The leaves of a tree in order, and the function that puts such leaves back.

    >>> from autograd_cnn import tree
    >>> leaves, rebuild = tree.flatten({"w": 1, "layers": [2, (3, None)]})
    >>> leaves
    [1, 2, 3, None]
    >>> rebuild([10, 20, 30, None])
    {'w': 10, 'layers': [20, (30, None)]}
    """
    found = list(leaves(tree))

    def rebuild(values: list[Any]) -> Any:
        if len(values) != len(found):
            raise ShapeError(f"the tree has {len(found)} leaves, got {len(values)}")
        remaining = iter(values)
        return map_leaves(lambda _: next(remaining), tree)

    return found, rebuild


def leaves(tree: Any) -> Iterator[Any]:
    """The leaves of a tree, dictionaries in their own order."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from leaves(value)
    elif isinstance(tree, (list, tuple)):
        for value in tree:
            yield from leaves(value)
    else:
        yield tree


def map_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with a function applied to each leaf."""
    if isinstance(tree, dict):
        return type(tree)((key, map_leaves(function, value)) for key, value in tree.items())
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(map_leaves(function, value) for value in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_leaves(function, value) for value in tree)
    return function(tree)
