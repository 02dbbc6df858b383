"""What all optimizers share: parameter groups, state, and the loop over parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import ShapeError, TapeError, shape_text
from ..kernels import provider_for
from ..kernels.devices import is_cupy, to_device
from ..tensor import Tensor

Array = Any


class Optimizer:
    """Changes parameters by their gradients; a subclass writes `update` for one parameter.

    `parameters` is an iterable of tensors, or of groups: dictionaries with "params" and settings
    that differ from the defaults. `param_groups` can be changed at any time, as schedules do.

    Raises ValueError for no parameters, unknown settings or values out of range, TapeError for a
    tensor that is not a leaf.
    """

    def __init__(self, parameters: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._scratch: dict[tuple, tuple[Array, Array]] = {}
        groups: list[Any]
        groups = [parameters] if isinstance(parameters, (Tensor, Mapping)) else list(parameters)
        if not groups:
            raise ValueError(f"{type(self).__name__}: there are no parameters")
        if not isinstance(groups[0], Mapping):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own: {"params": …, "lr": …}."""
        name = type(self).__name__
        unknown = set(group) - set(self.defaults) - {"params"}
        if unknown:
            raise ValueError(
                f"{name}: no setting {sorted(unknown)}; it has {sorted(self.defaults)}"
            )
        chosen = group["params"]
        chosen = [chosen] if isinstance(chosen, Tensor) else list(chosen)
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for parameter in chosen:
            if not isinstance(parameter, Tensor):
                raise TypeError(f"{name}: parameters are tensors, not {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise TapeError(f"{name}: only leaves can be changed, got {parameter!r}")
            if id(parameter) in known:
                raise ValueError(f"{name}: {parameter.name or 'a parameter'} is given twice")
            known.add(id(parameter))
        settings = {**self.defaults, **group, "params": chosen}
        self.check(settings)
        self.param_groups.append(settings)

    def check(self, group: Mapping[str, Any]) -> None:
        """Raise ValueError for a setting out of range."""
        for name, value in group.items():
            values = value if name == "betas" else (value,)
            if name in ("betas", "rho", "momentum_decay") and not all(0 <= v < 1 for v in values):
                raise ValueError(f"{type(self).__name__}: {name}={value} must lie within [0, 1)")
            if name in ("lr", "eps", "weight_decay", "momentum", "alpha", "lr_decay") and value < 0:
                raise ValueError(f"{type(self).__name__}: {name}={value} must not be negative")

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_one(parameter, group)

    def update(self, w: Array, g: Array, state: dict, group: dict, xp: Any, spare: tuple) -> Array:
        """The new values of one parameter, computed from its values w and gradient g.

        Neither w nor g may be written to; `spare` holds two arrays that may, and in which the
        answer may be given. What it keeps it puts in `state`.
        """
        raise NotImplementedError

    def _step_one(self, parameter: Tensor, group: dict[str, Any]) -> None:
        w, g = parameter._data, parameter.grad._data
        xp = provider_for([w]).xp
        key = (w.shape, w.dtype, parameter.device)
        spare = self._scratch.get(key)
        if spare is None:
            spare = self._scratch[key] = (xp.empty_like(w), xp.empty_like(w))
        state = self.state.setdefault(parameter, {})
        new = self.update(w, g, state, group, xp, spare)
        del w  # assign() reuses the parameter's memory if nobody else can read it
        parameter.assign(new)

    # saving

    def state_dict(self) -> dict[str, Any]:
        """{"state": {number: {name: value}}, "param_groups": …}, as in PyTorch; copies."""
        numbers, groups = self._numbered()
        state = {
            numbers[parameter]: {k: v.copy() if _is_array(v) else v for k, v in kept.items()}
            for parameter, kept in self.state.items()
            if parameter in numbers and kept
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take the state of an optimizer over parameters of the same shapes.

        Raises ValueError when groups do not match, ShapeError for arrays that do not fit.
        """
        numbers, groups = self._numbered()
        sizes = [len(group["params"]) for group in groups]
        given = [len(group["params"]) for group in state_dict["param_groups"]]
        if sizes != given:
            raise ValueError(f"groups of {given} parameters do not fit groups of {sizes}")
        loaded = {}
        for parameter, number in numbers.items():
            kept = state_dict["state"].get(number, {})
            loaded[parameter] = {k: _fitted(k, v, parameter) for k, v in kept.items()}
        for own, new in zip(self.param_groups, state_dict["param_groups"], strict=True):
            own.update({k: v for k, v in new.items() if k != "params" and k in own})
        self.state = {parameter: kept for parameter, kept in loaded.items() if kept}

    def _numbered(self) -> tuple[dict[Tensor, int], list[dict[str, Any]]]:
        numbers: dict[Tensor, int] = {}
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers[parameter] = len(numbers)
        groups = [
            {**group, "params": [numbers[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return numbers, groups

    def __repr__(self) -> str:
        groups = [
            f"{len(group['params'])} parameters: "
            + ", ".join(f"{k}={v}" for k, v in group.items() if k != "params")
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(groups)})"


def decayed(w: Array, g: Array, weight_decay: float, xp: Any, out: Array) -> Array:
    """g + weight_decay·w: the gradient of the loss plus ½·weight_decay·‖w‖²."""
    if not weight_decay:
        return g
    xp.multiply(w, weight_decay, out=out)
    out += g
    return out


def blend(average: Array, value: Array, keep: float, xp: Any, out: Array) -> None:
    """average ← keep·average + (1 − keep)·value, in place; `out` is spare."""
    average *= keep
    xp.multiply(value, 1.0 - keep, out=out)
    average += out


def clip_grad_norm(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0
) -> float:
    """Scale all gradients so that their joint norm is at most `max_norm`; returns the norm before.

    The factor is max_norm/(norm + 1e-6) where that is below 1 (Pascanu et al. 2013).

    >>> import autograd_cnn as ag
    >>> w = ag.tensor([3.0, 4.0], requires_grad=True)
    >>> (w * w / 2).sum().backward()
    >>> ag.optim.clip_grad_norm(w, 1.0)
    5.0
    >>> [round(v, 4) for v in w.grad.tolist()]
    [0.6, 0.8]
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    with_gradient = [p for p in parameters if p.grad is not None]
    sizes = []
    for parameter in with_gradient:
        flat = abs(parameter.grad._data.reshape(-1))
        infinite = norm_type == float("inf")
        largest = flat.max() if infinite and flat.size else 0.0
        sizes.append(float(largest if infinite else (flat**norm_type).sum()))
    norm = max(sizes, default=0.0) if norm_type == float("inf") else sum(sizes) ** (1 / norm_type)
    factor = max_norm / (norm + 1e-6)
    if factor < 1.0:
        for parameter in with_gradient:
            parameter.grad = Tensor(parameter.grad._data * factor)
    return norm


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "copy")


def _fitted(name: str, value: Any, parameter: Tensor) -> Any:
    """A kept value as this parameter's: an array of its shape, dtype and device, or a number."""
    if name == "step":
        return int(value)
    if value is None or isinstance(value, (int, float)):
        return value
    value = value._data if isinstance(value, Tensor) else value
    shape = tuple(value.shape)
    if shape == () and parameter.shape != ():
        return float(value)
    if shape != parameter.shape:
        raise ShapeError(
            f"{name} is {shape_text(shape)} for a parameter of {shape_text(parameter.shape)}"
        )
    value = value if is_cupy(value) else np.asarray(value)
    moved = to_device(value, parameter.device)
    return moved.astype(parameter.dtype)  # astype copies
