"""Memory for time: a function whose recorded values are dropped and computed again."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from . import tree
from .errors import TapeError
from .tape import Deferred, Leaf, changed, current
from .tensor import Tensor


def checkpoint(f: Callable) -> Callable:
    """`f` with its recorded values dropped, and computed again when going backward.

    Memory for time (Chen et al. 2016, "Training deep nets with sublinear memory cost"): the tape
    keeps the arguments only. The second run draws the same random seeds as the first.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor(0.5, requires_grad=True)
    >>> ag.checkpoint(lambda x: ag.tanh(ag.exp(x)))(x).backward()
    >>> round(float(x.grad), 4)
    0.2268

    Going backward raises TapeError when a parameter that `f` read has changed since.
    """

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not current().recording:
            return f(*args, **kwargs)
        region = _Checkpoint(f, args, kwargs)
        with changed(checkpoint=region):
            return f(*args, **kwargs)

    return checkpointed


class _Checkpoint:
    """A function whose recorded values are computed again: run one counts, run two keeps."""

    again = False

    def __init__(self, f: Callable, args: tuple, kwargs: dict) -> None:
        self.f = f
        leaves, self.put_back = tree.flatten([list(args), kwargs])
        self.arguments = [
            (leaf._data, leaf.requires_grad) if isinstance(leaf, Tensor) else leaf
            for leaf in leaves
        ]
        self.tensors = [isinstance(leaf, Tensor) for leaf in leaves]
        self.names: list[str] = []
        self.seeds: list[int] = []
        self.read: dict[Leaf, tuple[Tensor, Any]] = {}
        self.kept: list[tuple] | None = None

    def keep(self, primitive: Any, kept: tuple, parents: tuple) -> Any:
        """Drop what a node would keep; leave a note of which parameters it read."""
        for parent in parents:
            if isinstance(parent, Leaf) and (owner := parent.tensor()) is not None:
                self.read[parent] = (owner, owner._data)
        self.names.append(primitive.name)
        return Deferred(self, len(self.names) - 1)

    def seed(self, draw: Callable[[], int]) -> int:
        self.seeds.append(draw())
        return self.seeds[-1]

    def values(self, index: int) -> tuple:
        if self.kept is None:
            self.kept = self._run_again()
        return self.kept[index]

    def _run_again(self) -> list[tuple]:
        for owner, data in self.read.values():
            if owner._data is not data:
                raise TapeError(
                    f"a checkpoint runs its function again, but {owner.name or 'a parameter'} "
                    "changed since the forward pass; go backward before updating parameters"
                )
        values = [
            Tensor(v[0], requires_grad=v[1]) if is_tensor else v
            for v, is_tensor in zip(self.arguments, self.tensors, strict=True)
        ]
        args, kwargs = self.put_back(values)
        second = _SecondRun(self.seeds)
        with changed(checkpoint=second, recording=True, observers=()):
            self.f(*args, **kwargs)
        if second.names != self.names:
            raise TapeError(
                "a checkpoint's function did something else the second time: "
                f"{len(self.names)} operations, then {len(second.names)}"
            )
        return second.kept


class _SecondRun:
    """Keeps what each node of a checkpoint's second run keeps, in order."""

    again = True

    def __init__(self, seeds: list[int]) -> None:
        self.seeds = iter(seeds)
        self.names: list[str] = []
        self.kept: list[tuple] = []

    def keep(self, primitive: Any, kept: tuple, parents: tuple) -> tuple:
        self.names.append(primitive.name)
        self.kept.append(kept)
        return kept

    def seed(self, draw: Callable[[], int]) -> int:
        return next(self.seeds)
