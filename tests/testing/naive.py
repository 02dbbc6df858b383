"""A naive engine: every path from the result to a leaf is walked by itself, and the paths added up.

Nothing is shared with the library: values are NumPy arrays, derivatives are written out here.
"""

import numpy as np

FORWARD = {
    "add": np.add, "subtract": np.subtract, "multiply": np.multiply, "negative": np.negative,
    "sin": np.sin, "tanh": np.tanh, "square": np.square,
    "sum": lambda x: np.asarray(x.sum()), "transpose": lambda x: x.T,
}  # fmt: skip

# (g, answer, *operands) → one gradient for each operand, still as wide as g
BACKWARD = {
    "add": lambda g, y, a, b: (g, g),
    "subtract": lambda g, y, a, b: (g, -g),
    "multiply": lambda g, y, a, b: (g * b, g * a),
    "negative": lambda g, y, a: (-g,),
    "sin": lambda g, y, a: (g * np.cos(a),),
    "tanh": lambda g, y, a: (g / np.cosh(a) ** 2,),
    "square": lambda g, y, a: (2 * g * a,),
    "sum": lambda g, y, a: (g * np.ones(a.shape),),
    "transpose": lambda g, y, a: (g.T,),
}


class Naive:
    """A value and where it came from."""

    def __init__(self, value, tracked=False, name="leaf", operands=()):
        self.value, self.tracked, self.name, self.operands = value, tracked, name, operands
        self.grad = None
        self.freed = False
        tracking = [o for o in operands if o.tracked]
        self.paths = sum(o.paths for o in tracking) if tracking else 1

    @staticmethod
    def call(name, *operands, recording=True):
        value = FORWARD[name](*(o.value for o in operands))
        tracked = recording and any(o.tracked for o in operands)
        return Naive(value, tracked, name, operands if tracked else ())

    def gradients(self, g, rules=BACKWARD):
        """Every (leaf, gradient) along every path from here."""
        if not self.tracked:
            return
        if not self.operands:
            yield self, g
            return
        found = rules[self.name](g, self.value, *(o.value for o in self.operands))
        for operand, gradient in zip(self.operands, found, strict=True):
            yield from operand.gradients(summed(gradient, operand.value.shape), rules)

    def nodes(self):
        """Every recorded operation that this value depends on, itself included."""
        found, stack = [], [self]
        while stack:
            node = stack.pop()
            if node.tracked and node.operands and node not in found:
                found.append(node)
                stack += node.operands
        return found

    def backward(self, retain):
        for leaf, g in self.gradients(np.ones(self.value.shape)):
            leaf.grad = g if leaf.grad is None else leaf.grad + g
        for node in [] if retain else self.nodes():
            node.freed = True


def summed(g, shape):
    """A gradient brought back to the shape that broadcasting widened."""
    while g.ndim > len(shape):
        g = g.sum(0)
    for axis, n in enumerate(shape):
        if n == 1:
            g = g.sum(axis, keepdims=True)
    return g
