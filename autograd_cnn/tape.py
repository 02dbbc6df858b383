"""The tape: nodes in the order they were recorded, and the context they are recorded in.

A node never refers to its output tensor, so reference counting alone frees a tape.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from .errors import TapeError

if TYPE_CHECKING:
    from .primitive import Plan, Primitive
    from .tensor import Tensor

_sequence = count()


class Scope:
    """A module while it is called: the attribute it hangs on, its class, the scope around it."""

    __slots__ = ("kind", "module", "name", "parent")

    def __init__(self, name: str, kind: str, parent: Scope | None, module: Any = None) -> None:
        self.name, self.kind, self.parent = name, kind, parent
        self.module = None if module is None else weakref.ref(module)

    @property
    def path(self) -> tuple[str, ...]:
        """The attribute names from the outermost module to this one."""
        return (*(self.parent.path if self.parent else ()), self.name)


class Node:
    """One recorded operation: what ran, on what, and the values its rules will read."""

    __slots__ = (
        "__weakref__", "attributes", "code", "dtype", "instruction", "kept", "parents", "plan",
        "primitive", "scope", "sequence", "shape",
    )  # fmt: skip
    requires_grad = True

    def __init__(
        self,
        primitive: Primitive,
        parents: tuple[Node | None, ...],
        attributes: dict[str, Any],
        plan: Plan,
        kept: tuple | Deferred | None,
        ans: Any,
        scope: Scope | None,
    ) -> None:
        self.primitive = primitive
        self.parents = parents
        self.attributes = attributes
        self.plan = plan
        self.kept = kept
        self.shape = ans.shape
        self.dtype = ans.dtype
        self.scope = scope
        self.sequence = next(_sequence)
        self.code, self.instruction = _caller(sys._getframe(2))

    @property
    def name(self) -> str:
        return self.primitive.name

    @property
    def line(self) -> str:
        """The user's source line that recorded this operation, as `file.py:12`."""
        return line_text(self.code, self.instruction)

    def values(self) -> tuple:
        """The values kept for the backward pass; TapeError once they were freed."""
        kept = self.kept
        if isinstance(kept, tuple):
            return kept
        if kept is None:
            raise TapeError(
                f"{self.name} (recorded at {self.line}) was already gone back through and its "
                "values were freed; call backward(retain_graph=True) the first time"
            )
        self.kept = kept.recompute()
        return self.kept


class Leaf(Node):
    """A tensor that no recorded operation made: an input, a parameter or a constant."""

    __slots__ = ("label", "requires_grad", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)
        self.label = tensor.name or "input"
        self.parents = ()
        self.attributes = {}
        self.kept = ()
        self.shape = tensor.shape
        self.dtype = tensor.dtype
        self.scope = None
        self.requires_grad = tensor.requires_grad
        self.sequence = next(_sequence)
        self.code = None
        self.instruction = 0

    @property
    def name(self) -> str:
        return self.label

    @property
    def line(self) -> str:
        return "an input"


class Deferred:
    """Values that a checkpoint dropped: it runs its function again when they are needed."""

    __slots__ = ("checkpoint", "index")

    def __init__(self, checkpoint: Any, index: int) -> None:
        self.checkpoint, self.index = checkpoint, index

    def recompute(self) -> tuple:
        return self.checkpoint.values(self.index)


class Context:
    """What surrounds an operation; immutable, so that threads and exceptions cannot disturb it."""

    __slots__ = ("checkpoint", "nested", "observers", "plain", "recording", "rules", "scope")

    def __init__(
        self,
        recording: bool = True,
        rules: Mapping[str, Any] | None = None,
        scope: Scope | None = None,
        observers: tuple = (),
        checkpoint: Any = None,
        nested: bool = False,
    ) -> None:
        self.recording = recording
        self.rules = rules or {}
        self.scope = scope
        self.observers = observers
        self.checkpoint = checkpoint
        self.nested = nested
        self.plain = not (rules or observers or checkpoint)


_context: ContextVar[Context] = ContextVar("autograd_context", default=Context())  # noqa: B039
current = _context.get


@contextmanager
def changed(**changes: Any) -> Iterator[Context]:
    """Run the block in the current context with some fields changed."""
    now = current()
    fields = {name: getattr(now, name) for name in Context.__slots__ if name != "plain"}
    context = Context(**{**fields, **changes})
    token = _context.set(context)
    try:
        yield context
    finally:
        _context.reset(token)


def enter(scope: Scope) -> Any:
    """Make `scope` the current one, and return what `leave` needs: `changed` for a hot path."""
    now = current()
    return _context.set(
        Context(now.recording, now.rules, scope, now.observers, now.checkpoint, now.nested)
    )


leave = _context.reset


@contextmanager
def no_grad() -> Iterator[None]:
    """Do not record inside the block or the decorated function.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor(2.0, requires_grad=True)
    >>> with ag.no_grad():
    ...     (x * x).requires_grad
    False
    """
    with changed(recording=False):
        yield


@contextmanager
def enable_grad() -> Iterator[None]:
    """Record inside the block or the decorated function, even under `no_grad`.

    >>> import autograd_cnn as ag
    >>> x = ag.tensor(2.0, requires_grad=True)
    >>> with ag.no_grad(), ag.enable_grad():
    ...     (x * x).requires_grad
    True
    """
    with changed(recording=True):
        yield


@contextmanager
def observe(*observers: Any) -> Iterator[None]:
    """Let objects watch every operation inside the block.

    An observer may have `forward(primitive, inputs, attributes, ans, node)`, called with raw arrays
    after each operation on tensors (`node` is None when it was not recorded), and
    `backward(node, g, gradients)`, called after each rule of a backward pass with the incoming
    gradient and a list of (parent node, gradient).
    """
    with changed(observers=current().observers + observers):
        yield


def node_of(tensor: Tensor) -> Node:
    """The node that made a tensor, or its leaf, made on first use."""
    node = tensor._node
    if node is None:
        node = tensor._node = Leaf(tensor)
    return node


def history(nodes: Iterable[Node], since: int = 0) -> list[Node]:
    """All that some nodes came from, and they themselves, in the order of recording."""
    seen = set(nodes)
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if parent is not None and parent.sequence >= since and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=lambda node: node.sequence)


def line_text(code: CodeType | None, instruction: int) -> str:
    """A code object and an instruction offset as `file.py:12`."""
    if code is None:
        return "an unknown line"
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return f"{Path(code.co_filename).name}:{line}"
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"


def caller_line() -> str:
    """The user's line that is running now, as `file.py:12`."""
    return line_text(*_caller(sys._getframe(1)))


_PACKAGE = str(Path(__file__).parent)
_is_ours: dict[str, bool] = {}


def _caller(frame: FrameType | None) -> tuple[CodeType, int]:
    """The code object and instruction of the first frame, from `frame`, outside this package."""
    while frame is not None:
        code = frame.f_code
        try:
            if not _is_ours[code.co_filename]:
                return code, frame.f_lasti
        except KeyError:
            _is_ours[code.co_filename] = code.co_filename.startswith(_PACKAGE)
            continue
        outermost, frame = frame, frame.f_back
    return outermost.f_code, outermost.f_lasti
