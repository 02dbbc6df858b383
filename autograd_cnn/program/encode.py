"""Programs as JSON: data only, so loading one can run nothing that is not in the table."""

from __future__ import annotations

import base64
import json
from dataclasses import fields
from typing import Any

import numpy as np

from ..errors import ProgramError
from ..kernels import Kernels
from ..kernels.specs import ConvSpec, PoolSpec
from ..primitive import TABLE
from .listing import Instruction, Listing, Slot, Type
from .program import Place, Program
from .traced import METHODS

_FORMAT, _VERSION = "autograd_cnn program", 1
_SPECS = {"ConvSpec": ConvSpec, "PoolSpec": PoolSpec}
_KINDS = ("primitive", "kernel", "numpy", "seed", "check")
_OPERATORS = {
    "pow", "matmul", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift", "eq", "ne", "lt",
    "le", "gt", "ge", "abs", "invert",
}  # fmt: skip
# NumPy functions, beside its ufuncs, that only compute
_FUNCTIONS = {
    "all", "amax", "amin", "any", "argmax", "argmin", "argsort", "ascontiguousarray",
    "broadcast_to", "clip", "concatenate", "copy", "cumprod", "cumsum", "diagonal", "dot",
    "einsum", "expand_dims", "flip", "full_like", "imag", "linalg.cholesky", "linalg.det",
    "linalg.eigh", "linalg.inv", "linalg.solve", "max", "mean", "min", "moveaxis", "ones_like",
    "pad", "prod", "ravel", "real", "repeat", "reshape", "roll", "sort", "squeeze", "stack",
    "std", "sum", "swapaxes", "take", "take_along_axis", "tensordot", "tile", "trace",
    "transpose", "tril", "triu", "var", "where", "zeros_like",
}  # fmt: skip


def to_json(program: Program, indent: int | None = None) -> str:
    """The program as JSON text; raises ProgramError for what is not data (your own functions)."""
    listing = program.listing.ordered()
    types = listing.types
    data = {
        "format": _FORMAT,
        "version": _VERSION,
        "inputs": [_type(types[slot]) for slot in listing.inputs],
        "constants": [_array(value) for value in listing.constants.values()],
        "instructions": [_instruction(step, types) for step in listing.instructions],
        "outputs": [_encode(output) for output in listing.outputs],
        "arguments": _encode(program.arguments),
        "result": _encode(program.result),
    }
    return json.dumps(data, indent=indent)


def from_json(text: str) -> Program:
    """The program that `to_json` wrote; every name in it is checked before anything is built."""
    try:
        data = json.loads(text)
        if data["format"] != _FORMAT or data["version"] != _VERSION:
            raise ProgramError(f"not a program of version {_VERSION}: {data['format']!r}")
        return _program(data)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ProgramError(f"this is no program: {type(error).__name__} {error}") from error


def _program(data: dict) -> Program:
    types: dict[Slot, Type] = {}

    def slot(kind: Type) -> Slot:
        types[Slot(len(types))] = kind
        return Slot(len(types) - 1)

    inputs = tuple(slot(_typed(item)) for item in data["inputs"])
    arrays = [_arrayed(item) for item in data["constants"]]
    constants = {slot(Type(array.shape, array.dtype.name)): array for array in arrays}
    instructions = []
    for item in data["instructions"]:
        operands, attributes = _decode(item["operands"]), _decode(item["attributes"])
        _require_known(item["kind"], item["name"])
        step = Instruction(item["kind"], item["name"], operands, attributes)
        for read in step.reads:
            if read not in types:
                raise ProgramError(f"{step.name} reads {read}, which nothing has made")
        step.target = TABLE[step.name] if step.kind == "primitive" else None
        step.lifted, step.place = bool(item["lifted"]), str(item["line"])
        step.outputs = tuple(slot(_typed(output)) for output in item["outputs"])
        instructions.append(step)
    outputs = tuple(_decode(output) for output in data["outputs"])
    if any(isinstance(output, Slot) and output not in types for output in outputs):
        raise ProgramError("an output that nothing has made")
    listing = Listing(inputs, constants, instructions, outputs, types)
    return Program(listing, _decode(data["arguments"]), _decode(data["result"]))


def _instruction(step: Instruction, types: dict[Slot, Type]) -> dict:
    if step.kind == "primitive" and TABLE.get(step.name) is not step.target:
        raise ProgramError(f"{step.name} is your own operation: it is code, which JSON cannot hold")
    if step.kind == "seed" and step.target is not None:
        raise ProgramError("a random generator of your own cannot be written as JSON")
    _require_known(step.kind, step.name)
    return {
        "kind": step.kind,
        "name": step.name,
        "operands": _encode(step.operands),
        "attributes": _encode(step.attributes),
        "outputs": [_type(types[slot]) for slot in step.outputs],
        "lifted": step.lifted,
        "line": step.line,
    }


def _require_known(kind: str, name: str) -> None:
    """Raise ProgramError for a name that is no primitive, kernel or computing function."""
    if kind not in _KINDS:
        raise ProgramError(f"no instruction is of the kind {kind!r}")
    if kind == "primitive":
        known = name in TABLE
    elif kind == "kernel":
        known = not name.startswith("_") and callable(getattr(Kernels, name, None))
    elif kind == "numpy":
        known = _is_array_function(name)
    else:
        known = name in ("draw_seed", "bool", "int", "float", "value")
    if not known:
        raise ProgramError(f"{name!r} is not a {kind} that a program may hold")


def _is_array_function(name: str) -> bool:
    if name.startswith("."):
        return name.removeprefix(".") in METHODS
    if name.startswith("operator."):
        return name.removeprefix("operator.") in _OPERATORS
    return name in _FUNCTIONS or _is_ufunc(name)


def _is_ufunc(name: str) -> bool:
    base = name.removesuffix(".reduce").removesuffix(".outer").removesuffix(".accumulate")
    return base.isidentifier() and isinstance(getattr(np, base, None), np.ufunc)


def _encode(value: Any) -> Any:
    """A value as JSON, each type under its own name."""
    if value is None or isinstance(value, (bool, str)) or type(value) is int:
        return value
    if isinstance(value, Slot):
        return {"slot": value.number}
    if isinstance(value, Place):
        return {"place": value.number}
    if type(value) is float:
        return {"float": value.hex()}
    if type(value) is complex:
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if isinstance(value, np.generic):
        return {"number": _array(np.asarray(value))}
    if isinstance(value, np.dtype):
        return {"dtype": value.name}
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, slice):
        return {"slice": [_encode(end) for end in (value.start, value.stop, value.step)]}
    if isinstance(value, (ConvSpec, PoolSpec)):
        content = {f.name: _encode(getattr(value, f.name)) for f in fields(value)}
        return {"spec": type(value).__name__, "fields": content}
    if type(value) is tuple:
        return {"tuple": [_encode(item) for item in value]}
    if type(value) is list:
        return {"list": [_encode(item) for item in value]}
    if type(value) is dict:
        return {"dict": [[_encode(key), _encode(item)] for key, item in value.items()]}
    raise ProgramError(f"{type(value).__name__} cannot be written as JSON: {value!r}")


def _decode(data: Any) -> Any:
    if not isinstance(data, dict):
        return data
    kind, content = next(iter(data.items()))
    if kind == "spec":
        return _SPECS[content](**{name: _decode(v) for name, v in data["fields"].items()})
    return _DECODERS[kind](content)


_DECODERS: dict[str, Any] = {
    "slot": Slot,
    "place": Place,
    "float": float.fromhex,
    "complex": lambda parts: complex(*map(float.fromhex, parts)),
    "number": lambda data: _arrayed(data)[()],
    "dtype": np.dtype,
    "ellipsis": lambda _: Ellipsis,
    "slice": lambda ends: slice(*map(_decode, ends)),
    "tuple": lambda items: tuple(map(_decode, items)),
    "list": lambda items: list(map(_decode, items)),
    "dict": lambda items: {_decode(key): _decode(value) for key, value in items},
}


def _type(kind: Type) -> dict:
    return {"shape": list(kind.shape), "dtype": kind.dtype}


def _typed(data: dict) -> Type:
    return Type(tuple(int(n) for n in data["shape"]), str(data["dtype"]))


def _array(array: Any) -> dict:
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    text = base64.b64encode(little.tobytes()).decode("ascii")
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": text}


def _arrayed(data: dict) -> Any:
    dtype = np.dtype(data["dtype"])
    if dtype.kind not in "fiubc":
        raise ProgramError(f"a constant holds numbers, not {dtype}")
    flat = np.frombuffer(base64.b64decode(data["base64"]), dtype.newbyteorder("<"))
    return flat.astype(dtype).reshape(data["shape"])
