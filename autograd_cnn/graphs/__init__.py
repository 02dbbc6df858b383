"""Computation graphs: one frozen description made from a tape, and pictures of it.

A tape becomes a `Graph` (`build`); pure transforms collapse modules or add measured gradients; a
view chooses what to show, a layout places it and an emitter writes it down.
"""

from .build import graph
from .measure import with_gradients
from .model import Edge, Graph, Module, Node, Parameter
from .transforms import collapse, fold_repeats
from .view import View

__all__ = [
    "Edge", "Graph", "Module", "Node", "Parameter", "View", "collapse", "fold_repeats", "graph",
    "with_gradients",
]  # fmt: skip
