"""Computation graphs: one frozen description made from a tape, and pictures of it.

A tape becomes a `Graph` (`build`); pure transforms collapse modules, select a part, or add what was
measured; a view chooses what to show, a layout places it and an emitter writes it down.
"""

from .build import graph
from .difference import Change, Difference, diff
from .emit_json import from_json
from .measure import with_gradients
from .memory import live_bytes, peak_bytes
from .model import Edge, Graph, Module, Node, Parameter, Statistics
from .receptive import ReceptiveField
from .scalar import with_derivatives
from .summary import Summary, SummaryRow
from .transforms import collapse, fold_repeats
from .view import View
from .watch import Watch

__all__ = [
    "Change", "Difference", "Edge", "Graph", "Module", "Node", "Parameter", "ReceptiveField",
    "Statistics", "Summary", "SummaryRow", "View", "Watch", "collapse", "diff",
    "fold_repeats", "from_json", "graph", "live_bytes", "peak_bytes", "with_derivatives",
    "with_gradients",
]  # fmt: skip
