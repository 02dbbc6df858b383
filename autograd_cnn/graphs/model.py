"""The description of a computation: nodes, edges, modules. Frozen, and it holds no array."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import require, shape_text

if TYPE_CHECKING:
    from .view import View

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A weight, a bias or a running statistic: a row of a node's card, not a node.

    `key` is the same wherever the same tensor is used, so that shared parameters count once;
    `position` is the operand of the operation; `gradient` its Euclidean norm, once measured.
    """

    key: int
    name: str
    shape: Shape
    count: int
    position: int
    trainable: bool = True
    gradient: float | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One operation or input, or a whole module once collapsed.

    `id` is its place on the tape. `multiplications` is None where the operation declares no cost;
    `kept` names what the tape holds for the backward pass; `gradient` is ‖∂L/∂output‖₂, once
    measured. A collapsed module has the ids of the operations it stands for in `members`, and two
    modules that do the same have equal `fingerprint`s.
    """

    id: int
    name: str
    family: str
    shape: Shape
    dtype: str
    nbytes: int
    attributes: str = ""
    parameters: tuple[Parameter, ...] = ()
    kept: tuple[str, ...] = ()
    module: int | None = None
    requires_grad: bool = True
    multiplications: int | None = None
    source: str = ""
    gradient: float | None = None
    members: tuple[int, ...] = ()
    summary: str = ""
    fingerprint: tuple = ()

    @property
    def is_input(self) -> bool:
        return self.family == "input"


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor on its way from the node that made it to one that reads it.

    `position` is the operand it becomes, `operand` that operand's name; `differentiable` says
    whether a gradient comes back along it; `count` is the number of edges of the tape that this
    one stands for.
    """

    source: int
    target: int
    position: int
    operand: str
    shape: Shape
    nbytes: int
    differentiable: bool = True
    count: int = 1


@dataclass(frozen=True, slots=True)
class Module:
    """One call of a module. `call` counts the calls of the same module, from 1."""

    index: int
    name: str
    kind: str
    parent: int | None
    path: tuple[str, ...]
    call: int = 1


@dataclass(frozen=True)
class Graph:
    """A frozen description of a tape; ids are places on the tape, edges run to higher ids.

    It remembers where the tape was, without keeping it alive, so that gradients can be measured
    while the output still exists. In Jupyter it shows itself.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    modules: tuple[Module, ...]
    outputs: tuple[int, ...]
    name: str = "graph"
    _tape: Any = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return (
            f"<graph: {len(self.nodes)} nodes, {len(self.edges)} edges, "
            f"{self.parameter_count} parameters>"
        )

    @property
    def parameter_count(self) -> int:
        """The number of trainable entries; a shared parameter counts once."""
        return count_parameters(self.nodes)

    @property
    def multiplications(self) -> int:
        """The multiplications of all operations that declare their cost."""
        return sum(node.multiplications or 0 for node in self.nodes)

    def node(self, id: int) -> Node:
        """The node with an id; KeyError when there is none."""
        for node in self.nodes:
            if node.id == id:
                return node
        raise KeyError(id)

    def view(self, **options: Any) -> View:
        """A picture of the graph; the options are those of `View`.

        >>> import autograd_cnn as ag
        >>> x = ag.tensor([1.0, -2.0], requires_grad=True, name="x")
        >>> y = ag.sum(ag.relu(x))
        >>> ag.graph(y).view(backward="ladder").source.count("∂L/∂relu")
        1
        """
        from .view import View

        return View(self, **options)

    def to_networkx(self) -> Any:
        """A networkx MultiDiGraph; the key of an edge is the operand's position.

        Raises MissingDependencyError without networkx.
        """
        networkx = require("networkx", "graph")
        result = networkx.MultiDiGraph(name=self.name)
        for node in self.nodes:
            result.add_node(
                node.id,
                name=node.name,
                family=node.family,
                shape=shape_text(node.shape),
                dtype=node.dtype,
                attributes=node.attributes,
                parameters=sum(p.count for p in node.parameters if p.trainable),
                module=".".join(self.path(node.module)),
                requires_grad=node.requires_grad,
            )
        for edge in self.edges:
            result.add_edge(
                edge.source,
                edge.target,
                key=edge.position,
                shape=shape_text(edge.shape),
                nbytes=edge.nbytes,
                operand=edge.operand,
                count=edge.count,
            )
        return result

    def path(self, module: int | None) -> tuple[str, ...]:
        """The attribute names that lead to a module; () for None."""
        return () if module is None else self.modules[module].path

    def ancestors(self, module: int | None) -> list[int]:
        """A module and those around it, outermost first."""
        chain = []
        while module is not None:
            chain.append(module)
            module = self.modules[module].parent
        return chain[::-1]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.view()._repr_mimebundle_(include, exclude)

    def _repr_svg_(self) -> str | None:
        return self.view()._repr_svg_()


def count_parameters(nodes: Any) -> int:
    """The trainable entries of some nodes; a shared parameter counts once."""
    counts = {p.key: p.count for node in nodes for p in node.parameters if p.trainable}
    return sum(counts.values())
