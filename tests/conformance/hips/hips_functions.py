"""NumPy functions that both libraries differentiate, written once for any module `np`.

HIPS autograd takes its own wrapped NumPy. Ours takes NumPy itself, whose functions answer tensors
by the protocols of `autograd_cnn.ops.protocol`.
"""

import numpy

POSITIVE, ANY = "positive", "any"

UNARY = {
    "fabs": (ANY, lambda np, x: np.fabs(x)),
    "abs": (ANY, lambda np, x: np.abs(x)),
    "cos": (ANY, lambda np, x: np.cos(x)),
    "exp": (ANY, lambda np, x: np.exp(x)),
    "expm1": (ANY, lambda np, x: np.expm1(x)),
    "log": (POSITIVE, lambda np, x: np.log(x)),
    "log1p": (POSITIVE, lambda np, x: np.log1p(x)),
    "negative": (ANY, lambda np, x: np.negative(x) * x),
    "power by a constant": (POSITIVE, lambda np, x: x**2.5),
    "power of a constant": (ANY, lambda np, x: 1.7**x),
    "quotient": (ANY, lambda np, x: (x + 1.0) / (x * x + 2.0)),
    "sign": (ANY, lambda np, x: np.sign(x) * x * x),
    "sin": (ANY, lambda np, x: np.sin(x)),
    "sqrt": (POSITIVE, lambda np, x: np.sqrt(x)),
    "square": (ANY, lambda np, x: np.square(x) * x),
    "tanh": (ANY, lambda np, x: np.tanh(x)),
    "where": (ANY, lambda np, x: np.where(x > 0.1, np.exp(x), x * x * x)),
    "clip": (ANY, lambda np, x: np.clip(x, -0.4321, 0.8765) * x * x),
    "self-power": (POSITIVE, lambda np, x: x**x),
    "composition": (ANY, lambda np, x: np.tanh(np.sin(x) * np.exp(-x * x))),
}
"""name → (domain, function of every entry)."""

BINARY = {
    "add": lambda np, x, y: np.sin(np.add(x, y)),
    "divide": lambda np, x, y: np.divide(x, y),
    "maximum": lambda np, x, y: np.maximum(x, y) * x,
    "minimum": lambda np, x, y: np.minimum(x, y) * y,
    "multiply": lambda np, x, y: np.multiply(x, y) ** 2,
    "power": lambda np, x, y: np.power(x, y),
    "subtract": lambda np, x, y: np.exp(np.subtract(x, y)),
}
"""Functions of two positive arrays that broadcast."""


def _definite(np, x):
    """A well-conditioned symmetric matrix of a square one."""
    return np.matmul(x, np.transpose(x)) + numpy.eye(3)


def _standardised(np, x):
    return (x - np.mean(x, axis=0)) / np.std(x, axis=0)


ARRAYS = {
    "broadcast_to": lambda np, x: np.broadcast_to(x[:1], (4, 3)),
    "concatenate": lambda np, x: np.concatenate([x, x * x], axis=1),
    "cumsum": lambda np, x: np.cumsum(x, axis=0),
    "einsum": lambda np, x: np.einsum("ij,kj->ik", x, x),
    "expand_dims": lambda np, x: np.expand_dims(x, 1),
    "getitem": lambda np, x: x[1:, [0, 2, 2]],
    "kron": lambda np, x: np.kron(x, x[:2, :2]),
    "matmul": lambda np, x: np.matmul(x, np.sin(x)),
    "max": lambda np, x: np.max(x, axis=1),
    "mean": lambda np, x: np.mean(x, axis=1, keepdims=True),
    "min": lambda np, x: np.min(x, axis=0),
    "moveaxis": lambda np, x: np.moveaxis(x, 0, 1),
    "outer": lambda np, x: np.outer(x[0], x[1]),
    "pad": lambda np, x: np.pad(x, ((1, 0), (0, 2)), mode="constant"),
    "reshape": lambda np, x: np.reshape(x, (9,)),
    "sort": lambda np, x: np.sort(np.reshape(x, (9,))),
    "split": lambda np, x: np.concatenate(np.split(x, 3, axis=1)[::-1], axis=1),
    "squeeze": lambda np, x: np.squeeze(x[:1], axis=0),
    "standardised": _standardised,
    "std": lambda np, x: np.std(x, axis=1),
    "sum": lambda np, x: np.sum(x, axis=0),
    "swapaxes": lambda np, x: np.swapaxes(x, 0, 1),
    "transpose": lambda np, x: np.transpose(x),
    "tril": lambda np, x: np.tril(x),
    "triu": lambda np, x: np.triu(x, 1),
    "var": lambda np, x: np.var(x, axis=0),
    "cholesky": lambda np, x: np.linalg.cholesky(_definite(np, x)),
    "prod": lambda np, x: np.prod(x, axis=1),
    "stack": lambda np, x: np.stack([x, x * x], axis=1),
    "trace": lambda np, x: np.trace(x) * numpy.ones(1),
    "diagonal": lambda np, x: np.diagonal(x, 0, -1, -2),
    "det": lambda np, x: np.linalg.det(x) * numpy.ones(1),
    "eigenvalues": lambda np, x: np.linalg.eigh(_definite(np, x))[0],
    "eigenvectors": lambda np, x: np.linalg.eigh(_definite(np, x))[1] ** 2,
    "inv": lambda np, x: np.linalg.inv(_definite(np, x)),
    "norm": lambda np, x: np.linalg.norm(x) * numpy.ones(1),
    "slogdet": lambda np, x: np.linalg.slogdet(_definite(np, x))[1] * numpy.ones(1),
    "solve": lambda np, x: np.linalg.solve(_definite(np, x), x[0]),
}
"""Functions of a 3×3 array with an array as their value."""

NOT_COMPARED = {
    "argmax": "whole numbers have no derivative",
    "argsort": "whole numbers have no derivative",
    "cumprod": "HIPS autograd has no derivative of it",
    "flip": "HIPS autograd has no derivative of it",
    "float_power": "HIPS autograd has no derivative of it",
    "take": "HIPS autograd has no derivative of it",
    "take_along_axis": "HIPS autograd has no derivative of it",
}
"""What our side of NumPy has besides, and why it is not compared."""

LACKING = {
    "cumprod": lambda np, x: np.cumprod(x),
    "flip": lambda np, x: np.flip(x),
    "float_power": lambda np, x: np.float_power(x, 2.0),
    "take": lambda np, x: np.take(x, [1]),
    "take_along_axis": lambda np, x: np.take_along_axis(x, numpy.array([1]), 0),
}
"""Functions that HIPS autograd cannot differentiate: it raises NotImplementedError."""


class Watched:
    """A module that notes which of its functions are read, by NumPy's own names for them."""

    def __init__(self, module, names):
        self.module, self.names = module, names

    def __getattr__(self, name):
        if name == "linalg":
            return Watched(self.module.linalg, self.names)
        found = getattr(self.module, name)
        self.names.add(found.__name__)
        return found
