"""The backward pass alone: the graph turned round, each node the gradient of an operation."""

from __future__ import annotations

from dataclasses import replace

from .model import Edge, Graph, Node


def mirrored(graph: Graph) -> Graph:
    """The graph of the gradients: from the seeds to the inputs, along differentiable edges.

    Node i is the gradient of node last − i. Nodes that ask for no gradient are not there.
    """
    last = max(node.id for node in graph.nodes)
    known = {node.id: node for node in graph.nodes if node.requires_grad}
    nodes = tuple(_gradient_of(node, last) for node in reversed(known.values()))
    edges = tuple(
        Edge(
            last - edge.target,
            last - edge.source,
            0,
            edge.operand,
            edge.shape,
            edge.nbytes,
            count=edge.count,
        )
        for edge in reversed(graph.edges)
        if edge.differentiable and edge.source in known and edge.target in known
    )
    modules = tuple(
        replace(m, name=f"∂{m.name}", path=tuple(f"∂{part}" for part in m.path))
        for m in graph.modules
    )
    read = {edge.source for edge in edges}
    ends = tuple(node.id for node in nodes if node.id not in read)
    return replace(graph, nodes=nodes, edges=edges, modules=modules, outputs=ends, _tape=None)


def _gradient_of(node: Node, last: int) -> Node:
    of = f"input {node.id}" if node.is_input and node.name == "input" else node.name
    return Node(
        last - node.id,
        f"∂L/∂{of}",
        "gradient",
        node.shape,
        node.dtype,
        node.nbytes,
        parameters=node.parameters,
        kept=node.kept,
        module=node.module,
        gradient=node.gradient,
        source=node.source,
    )
