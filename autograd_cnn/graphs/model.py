"""The description of a computation: nodes, edges, modules. Frozen, and it holds no array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .receptive import ReceptiveField

if TYPE_CHECKING:
    from .summary import Summary
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
    nonfinite: int | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a watched value looked like; the numbers are over its finite entries.

    `zeros` and `nonfinite` count entries: exact zeros, and NaN or infinity.
    """

    mean: float
    std: float
    minimum: float
    maximum: float
    zeros: int
    nonfinite: int
    count: int


@dataclass(frozen=True, slots=True)
class Node:
    """One operation or input, or a whole module once collapsed.

    `id` is its place on the tape. `multiplications` is None where the operation declares no cost;
    `kept` names what the tape holds for the backward pass, `kept_bytes` what of it no earlier
    operation held already (parameters and inputs are not counted: they live anyway), `kept_extra`
    the part of it that is no operation's output, `output_kept` whether the output is held by
    anyone, `alias` whether the output is its input's memory under another shape. `gradient` is
    ‖∂L/∂output‖₂, once measured. `order` is 0 in a forward pass, 1 in a recorded backward pass, 2
    in the backward pass of that. `seconds`, `backward_seconds`, `statistics`, `maps` (PNG
    thumbnails) and `value` (of a scalar) come from a `Watch`, `slope` (∂f/∂value) from
    `with_derivatives`, `mark` from `diff`. A collapsed module has the ids of the operations it
    stands for in `members`, and two modules that do the same have equal `fingerprint`s.
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
    kept_bytes: int = 0
    kept_extra: int = 0
    output_kept: bool = False
    alias: bool = False
    order: int = 0
    receptive_field: ReceptiveField | None = None
    seconds: float | None = None
    backward_seconds: float | None = None
    statistics: Statistics | None = None
    maps: tuple[bytes, ...] = ()
    value: float | None = None
    slope: float | None = None
    mark: str = ""

    @property
    def is_input(self) -> bool:
        return self.family == "input"


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor on its way from the node that made it to one that reads it.

    `position` is the operand it becomes, `operand` that operand's name; `differentiable` says
    whether a gradient comes back along it; `count` is the number of edges of the tape that this
    one stands for. Between scalars `derivative` is ∂target/∂operand, once measured.
    """

    source: int
    target: int
    position: int
    operand: str
    shape: Shape
    nbytes: int
    differentiable: bool = True
    count: int = 1
    derivative: float | None = None
    mark: str = ""


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
    while the output still exists. `note` says what was left out. In Jupyter it shows itself.
    """

    # what `ag.graph` makes is described when a field is first read: taking the snapshot is quicker
    @classmethod
    def described_by(cls, describe: Callable[[], Graph]) -> Graph:
        """The graph that a function returns, called when a field is first read."""
        graph = object.__new__(cls)
        graph.__dict__["_describe"] = describe
        return graph

    def __getattr__(self, name: str) -> Any:
        describe = self.__dict__.get("_describe")
        if describe is None or name not in self.__dataclass_fields__:
            raise AttributeError(f"a graph has no {name}")
        self.__dict__.update(vars(describe()))
        self.__dict__.pop("_describe", None)
        return getattr(self, name)

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    modules: tuple[Module, ...]
    outputs: tuple[int, ...]
    name: str = "graph"
    note: str = ""
    # a factory leaves no attribute on the class, so that this is described too
    _tape: Any = field(default_factory=lambda: None, repr=False, compare=False)

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

    @property
    def kept_bytes(self) -> int:
        """What the tape holds for the backward pass, parameters and inputs aside."""
        return sum(node.kept_bytes for node in self.nodes)

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

    def summary(self, depth: int | None = None) -> Summary:
        """A table of modules and operations; see `Summary`."""
        from .summary import summarize

        return summarize(self, depth)

    def first_nonfinite(self) -> Node | None:
        """The first node of a watched tape whose output holds a NaN or an infinity."""
        for node in self.nodes:
            if node.statistics is not None and node.statistics.nonfinite:
                return node
        return None

    # smaller graphs

    def ancestors(self, target: Any) -> Graph:
        """The part of the graph that a node is computed from, the node included.

        Here and below a node is a `Node`, an id, a name that occurs once, or the path of a module
        (`"stem.conv"`), which stands for all operations in it.
        """
        from .selection import ancestors

        return ancestors(self, target)

    def descendants(self, source: Any) -> Graph:
        """The part of the graph that depends on a node, the node included."""
        from .selection import descendants

        return descendants(self, source)

    def slice_between(self, source: Any, target: Any) -> Graph:
        """The nodes on the paths from one node to another.

        Raises ValueError when there is none.
        """
        from .selection import slice_between

        return slice_between(self, source, target)

    def hide(self, *what: str | Callable[[Node], bool]) -> Graph:
        """The graph without some operations; their inputs are joined to their readers.

        Each of `what` is the name of operations, a family, or a function of a node. Paths stay
        paths, and the legend says how many nodes are hidden.
        """
        from .selection import hide

        return hide(self, *what)

    # other forms

    def to_json(self) -> str:
        """The graph as JSON, for `graphs.from_json`; the same bytes each time."""
        from .emit_json import text

        return text(self)

    def to_networkx(self) -> Any:
        """A networkx MultiDiGraph; the key of an edge is the operand's position.

        Raises MissingDependencyError without networkx.
        """
        from .emit_network import network

        return network(self)

    def path(self, module: int | None) -> tuple[str, ...]:
        """The attribute names that lead to a module; () for None."""
        return () if module is None else self.modules[module].path

    def enclosing(self, module: int | None) -> list[int]:
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
