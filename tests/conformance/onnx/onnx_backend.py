"""An ONNX backend: a model is run node by node, each node by the table of operators."""

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep
from onnx_bodies import BODIES
from onnx_operators import OPERATORS

import autograd_cnn as ag


class Program(BackendRep):
    """A model whose operators are all in the table, ready to run on arrays or tensors."""

    def __init__(self, model):
        graph = model.graph
        self.names = [entry.name for entry in graph.input]
        self.results = [entry.name for entry in graph.output]
        self.constants = {c.name: onnx.numpy_helper.to_array(c) for c in graph.initializer}
        table = OPERATORS | BODIES
        self.steps = [(node, table[node.op_type], _attributes(node)) for node in graph.node]

    def __call__(self, *inputs):
        """The outputs of the model, recorded where inputs are tensors that are recorded."""
        values = {"": None, **self.constants, **dict(zip(self.names, inputs, strict=True))}
        for node, operator, attributes in self.steps:
            found = operator(*(values[name] for name in node.input), **attributes)
            found = found if isinstance(found, tuple) else (found,)
            values.update(zip(node.output, found, strict=False))
        return [values[name] for name in self.results]

    def run(self, inputs, **kwargs):
        """The outputs as arrays. Floating-point inputs are lifted to tensors, as a user would.

        A sequence is a list, whose leaves they are.
        """
        lifted = ag.tree.map_leaves(lambda x: ag.tensor(x) if is_floating(x) else x, list(inputs))
        # ONNX follows IEEE 754 without a word: 1/0 is ∞
        with np.errstate(all="ignore"):
            found = self(*lifted)
        return ag.tree.map_leaves(np.asarray, found)


class LibraryBackend(Backend):
    """The library as the backend that ONNX's own test cases ask for."""

    @classmethod
    def is_compatible(cls, model, device="CPU", **kwargs):
        return all(node.op_type in OPERATORS and not node.domain for node in model.graph.node)

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        super().prepare(model, device, **kwargs)
        return Program(model)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"


def is_floating(value):
    """Whether a value holds fractions: what a gradient can be taken of."""
    kind = getattr(value, "dtype", None)
    return kind is not None and (kind.kind == "f" or kind.name == "bfloat16")


def _attributes(node):
    found = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
    if node.op_type == "Split" and len(node.input) < 2:
        found.setdefault("num_outputs", len(node.output))  # implied before operator set 18
    return found


def _plain(value):
    return value.decode() if isinstance(value, bytes) else value
