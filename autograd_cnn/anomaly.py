"""The first NaN or infinity: which operation made it, forward or backward, and on which line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

from .errors import AnomalyError
from .kernels import provider_for
from .tape import Node, caller_line, observe
from .tensor import Tensor


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Stop at the first operation, forward or backward, that makes a NaN or an infinity.

    >>> import numpy as np, autograd_cnn as ag
    >>> x = ag.tensor([0.0], requires_grad=True)
    >>> with np.errstate(divide="ignore"), ag.detect_anomaly():
    ...     try:
    ...         ag.log(x)
    ...     except ag.errors.AnomalyError as error:
    ...         print(str(error)[:39])
    log made 1 NaN or infinite of 1 values,

    Raises AnomalyError with the operation's name and the user's line.
    """
    with observe(AnomalyDetector()):
        yield


class AnomalyDetector:
    """An observer that stops at the first NaN or infinity, forward or backward."""

    def forward(self, primitive: Any, inputs: list, attributes: dict, ans: Any, node: Any):
        count = _bad_count(ans)
        if count and not any(_bad_count(value) for value in inputs):
            line = node.line if node is not None else caller_line()
            raise AnomalyError(
                f"{primitive.name} made {count} NaN or infinite of {ans.size} values, forward, "
                f"at {line}"
            )

    def backward(self, node: Node, g: Any, contributions: list) -> None:
        for parent, contribution in contributions:
            count = _bad_count(contribution)
            if count:
                operand = node.primitive.input_name(node.parents.index(parent))
                raise AnomalyError(
                    f"the backward rule of {node.name} for {operand} made "
                    f"{count} NaN or infinite of {contribution.size} values; {node.name} was "
                    f"recorded at {node.line}"
                )


def _bad_count(value: Any) -> int:
    if isinstance(value, Tensor):
        value = value._data
    if isinstance(value, float):
        return int(not isfinite(value))
    if not hasattr(value, "dtype") or value.dtype.kind not in "fc":
        return 0
    xp = provider_for([value]).xp
    return int(value.size - xp.count_nonzero(xp.isfinite(value)))
