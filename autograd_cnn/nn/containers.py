"""Modules made of modules: sequences, lists, and the residual block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..ops import add, flatten
from .module import Module


class _Numbered(Module):
    """Children named "0", "1", …"""

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._items())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._of(self._items()[index])
        return self._items()[index]

    def __setitem__(self, index: int, module: Module) -> None:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} in {len(self)} modules")
        setattr(self, str(index % len(self)), module)

    def append(self, module: Module) -> Any:
        """Add a module at the end; returns the container."""
        setattr(self, str(len(self)), _module(module))
        return self

    def _items(self) -> list[Module]:
        return [value for value in vars(self).values() if isinstance(value, Module)]

    def _of(self, modules: Iterable[Module]) -> Any:
        raise NotImplementedError


class Sequential(_Numbered):
    """Modules one after another; keyword arguments give them names instead of numbers.

    >>> import autograd_cnn as ag
    >>> from autograd_cnn import nn
    >>> nn.Sequential(nn.ReLU(), nn.Flatten())
    Sequential(
      (0): ReLU()
      (1): Flatten(start_dim=1, end_dim=-1)
    )
    >>> list(nn.Sequential(head=nn.Linear(4, 2)).state_dict())
    ['head.weight', 'head.bias']

    A dictionary of modules works too. Raises TypeError for what is not a module.
    """

    def __init__(self, *modules: Any, **named: Module) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            modules, named = (), {**modules[0], **named}
        for number, module in enumerate(modules):
            setattr(self, str(number), _module(module))
        for name, module in named.items():
            setattr(self, name, _module(module))

    def forward(self, x: Any) -> Any:
        for module in self._items():
            x = module(x)
        return x

    def _of(self, modules: Iterable[Module]) -> Sequential:
        return Sequential(*modules)


class ModuleList(_Numbered):
    """A list of modules whose parameters are found; it has no forward."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def _of(self, modules: Iterable[Module]) -> ModuleList:
        return ModuleList(modules)


class Identity(Module):
    """The input as it is; takes and ignores any arguments, to stand in for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, x: Any) -> Any:
        return x


class Residual(Module):
    """body(x) + shortcut(x), the shortcut being x itself unless given (He et al. 2016).

    With a body of zero weights it is the identity, and passes the gradient on as it is.
    """

    def __init__(self, body: Module, shortcut: Module | None = None) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Any) -> Any:
        return add(self.body(x), x if self.shortcut is None else self.shortcut(x))


class Flatten(Module):
    """The axes from start_dim to end_dim made one; by default a sample becomes one row."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Any) -> Any:
        return flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


def _module(value: Any) -> Module:
    if not isinstance(value, Module):
        raise TypeError(f"a container holds modules, not {type(value).__name__}: {value!r}")
    return value
