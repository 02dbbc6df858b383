"""Program: a recorded function that runs, prints, is differentiated, simplified and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import ops, transforms, tree
from ..errors import ProgramError, ShapeError, shape_text
from ..kernels import provider_for
from ..ops import random
from ..tape import changed, current
from ..tensor import Tensor
from . import instrument
from .listing import Instruction, Listing, Slot
from .recorder import Recorder, known_primitive
from .simplify import simplified, without_dead_code
from .traced import Seed, function_named, refuse, replaced


def trace(f: Callable, *args: Any, **kwargs: Any) -> Any:
    """The function that records one call of `f` as a Program: `ag.trace(f)(*examples)`.

    `ag.trace(f, *examples)` records at once.

    Arguments are tensors, arrays, numbers or nested containers of them, and become the inputs; a
    tensor that `f` reaches in another way is a constant, as it is now.

    >>> import autograd_cnn as ag
    >>> print(ag.trace(lambda x: ag.exp(x) * 2.0)(ag.tensor([1.0, 2.0])))
    program(%0: float32 2)
      %1: float32 2 = exp(%0)
      %2: float32 2 = multiply(%1, 2.0)
      return %2

    Of a matrix, `ag.trace(x)` is the sum of its diagonal, as in NumPy.

    Raises ProgramError, with the line, for what would not hold for other values: `bool(t)`,
    `t.item()`, `print(t)`, and for changing a parameter.
    """
    if not callable(f):
        return ops.trace(f, *args, **kwargs)

    def traced(*examples: Any) -> Program:
        return _traced(f, examples)

    return traced(*args) if args else traced


class Program:
    """A pure function as a flat listing, made by `ag.trace`; its derivatives are Programs again.

    >>> import autograd_cnn as ag
    >>> cube = ag.trace(lambda x: x * x * x)(ag.tensor(2.0))
    >>> float(cube(3.0)), float(cube.grad()(3.0)), float(cube.grad().grad()(3.0))
    (27.0, 27.0, 18.0)
    """

    def __init__(
        self, listing: Listing, arguments: Any, result: Any, examples: list | None = None
    ) -> None:
        self.listing, self.arguments, self.result = listing, arguments, result
        self.examples = examples
        self.report: Mapping[str, int] = {}

    def __call__(self, *args: Any) -> Any:
        """Run it: tensors with a tape behind them are recorded on it, as by the function itself.

        Raises ShapeError for arguments of other shapes, ProgramError where a value that the
        function looked at while it was recorded is another one.
        """
        leaves = list(tree.leaves(list(args)))
        if len(leaves) != len(self.listing.inputs):
            raise ShapeError(
                f"the program has {len(self.listing.inputs)} inputs, not {len(leaves)}"
            )
        values = [self._argument(*pair) for pair in zip(self.listing.inputs, leaves, strict=True)]
        return _filled(self.result, run(self.listing, values))

    def _argument(self, slot: Slot, value: Any) -> Tensor:
        wanted = self.listing.types[slot]
        if not isinstance(value, Tensor):
            value = Tensor(np.array(value, wanted.dtype))
        if value.shape != wanted.shape or value.dtype.name != wanted.dtype:
            raise ShapeError(
                f"input {slot} is {wanted}, got {value.dtype.name} {shape_text(value.shape)}"
            )
        return value

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """The steps, in the order they run."""
        return tuple(self.listing.instructions)

    def __len__(self) -> int:
        return len(self.listing.instructions)

    def __str__(self) -> str:
        return self.listing.text()

    def __repr__(self) -> str:
        return f"<Program of {len(self)} instructions, {len(self.listing.inputs)} inputs>"

    # derivatives: the engine goes back through a run of the program, and that is recorded

    def grad(self, argnums: int | tuple[int, ...] = 0) -> Program:
        """The Program of the gradient of a scalar program, as `ag.grad`."""
        return self._derived(transforms.grad(self, argnums), self.arguments)

    def value_and_grad(self, argnums: int | tuple[int, ...] = 0) -> Program:
        """The Program of (value, gradient) of a scalar program."""
        return self._derived(transforms.value_and_grad(self, argnums), self.arguments)

    def jvp(self) -> Program:
        """The Program (*primals, *tangents) → (outputs, J·tangents), in forward mode."""
        count = len(self.arguments)

        def pushed(*args: Any) -> Any:
            return transforms.jvp(self, args[:count], args[count:])

        return self._derived(pushed, [*self.arguments, *self.arguments])

    def vjp(self) -> Program:
        """The Program (*primals, cotangents of the outputs) → vᵀJ for every argument."""

        def pulled(*args: Any) -> Any:
            return transforms.vjp(self, *args[:-1])[1](args[-1])

        outputs = [leaf for leaf in tree.leaves(self.result) if isinstance(leaf, Place)]
        given = [self.listing.outputs[place.number] for place in outputs]
        zeros = [_example(self.listing.types[slot]) for slot in given]
        arguments = [*self._examples(), _filled(self.result, zeros)]
        return _traced(pulled, arguments)

    def _derived(self, function: Callable, arguments: list) -> Program:
        examples = self._examples()
        return _traced(
            function, examples if len(arguments) == len(self.arguments) else examples * 2
        )

    def _examples(self) -> list:
        """Arguments to record a derivative with: those it was recorded with, where it has them."""
        values = self.examples
        if values is None:
            values = [_example(self.listing.types[slot]) for slot in self.listing.inputs]
        return _filled(self.arguments, values)

    def simplify(self, rules: Any = None) -> Program:
        """A Program with the same values and fewer steps; `report` says what went.

        See `autograd_cnn.program.simplify`; `rules` names the rules to use, None for all.
        """
        return simplified(self, rules)

    # other forms

    def to_json(self, indent: int | None = None) -> str:
        """The program as JSON: data only, constants as base64 of little-endian bytes."""
        from .encode import to_json

        return to_json(self, indent)

    @staticmethod
    def from_json(text: str) -> Program:
        """The program that `to_json` wrote.

        Raises ProgramError for primitives that are not in the table and for unknown fields.
        """
        from .encode import from_json

        return from_json(text)

    def to_sympy(self, symbols: Any = None) -> Any:
        """The outputs as SymPy expressions of the inputs, entry by entry; see `symbolic`."""
        from .symbolic import to_sympy

        return to_sympy(self, symbols)

    def latex(self, names: Any = None) -> str:
        """The program as TeX, from the templates of the table; see `symbolic`."""
        from .symbolic import latex

        return latex(self, names)


class Place:
    """Where a leaf of an argument or a result stands in the listing."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and other.number == self.number

    __hash__ = object.__hash__


def run(listing: Listing, values: list[Tensor]) -> list[Any]:
    """The outputs of a listing; primitives are applied to tensors, so a tape can record them."""
    held: dict[Slot, Any] = dict(zip(listing.inputs, values, strict=True))
    held |= {slot: Tensor._make(array, None) for slot, array in listing.constants.items()}
    last = _last_uses(listing)
    for place, step in enumerate(listing.instructions):
        _run_step(step, held, listing.constants)
        for slot in last.get(place, ()):
            held.pop(slot, None)
    look = lambda leaf: _tensor(held[leaf]) if isinstance(leaf, Slot) else leaf
    return [look(output) for output in listing.outputs]


def _run_step(step: Instruction, held: dict[Slot, Any], constants: dict[Slot, Any]) -> None:
    if step.kind == "seed":
        held[step.outputs[0]] = random.draw_seed(step.target)
        return
    raw = lambda leaf: _array(held[leaf]) if isinstance(leaf, Slot) else leaf
    if step.kind == "check":
        _run_check(step, raw(step.operands[0]))
        return
    # an index that is a constant stays a plain array: shapes may depend on it
    fixed = lambda leaf: constants[leaf] if leaf in constants else raw(leaf)
    attributes = replaced(
        lambda leaf: fixed(leaf) if isinstance(leaf, Slot) else leaf, step.attributes
    )
    if step.kind == "primitive":
        primitive = step.target or known_primitive(step.name)
        operands = tuple(held[o] if isinstance(o, Slot) else o for o in step.operands)
        ans, extras = primitive.apply(operands, attributes)
        answers = (ans, *extras)
    else:
        operands = replaced(raw, step.operands)
        recorder = instrument.active.get()
        if step.kind == "kernel":
            answers = getattr(provider_for([]), step.name)(*operands, **attributes)
        elif recorder is not None:
            function = function_named(step.name)
            answers = recorder.numpy(step.name, function, operands, attributes)
        else:
            answers = function_named(step.name)(*operands, **attributes)
        answers = answers if isinstance(answers, (tuple, list)) else (answers,)
    held.update(zip(step.outputs, answers, strict=False))


def _run_check(step: Instruction, value: Any) -> None:
    recorder, expected = instrument.active.get(), step.operands[1]
    if recorder is not None and hasattr(value, "slot"):
        recorder.instructions.append(
            Instruction("check", step.name, (value.slot, expected), place=step.place)
        )
    elif converted(step.name, value) != expected:
        raise ProgramError(
            f"while the program was recorded a value at {step.line} was {expected}, now it is "
            f"{converted(step.name, value)}; record it again with these arguments"
        )


def converted(name: str, value: Any) -> Any:
    """A checked value as what the library asked for."""
    if name == "value":
        return value.item() if hasattr(value, "item") else value
    return {"bool": bool, "int": int, "float": float}[name](value)


def _array(value: Any) -> Any:
    return value._data if isinstance(value, Tensor) else value


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else Tensor._make(value, None)


def _last_uses(listing: Listing) -> dict[int, list[Slot]]:
    """The slots that no later instruction reads, by the place of the last one that does."""
    kept = {output for output in listing.outputs if isinstance(output, Slot)}
    last: dict[Slot, int] = {}
    for place, step in enumerate(listing.instructions):
        for slot in (*step.reads, *step.outputs):
            last[slot] = place
    result: dict[int, list[Slot]] = {}
    for slot, place in last.items():
        if slot not in kept:
            result.setdefault(place, []).append(slot)
    return result


def _filled(structure: Any, values: list) -> Any:
    """A structure with values in its places."""
    return tree.map_leaves(
        lambda leaf: values[leaf.number] if isinstance(leaf, Place) else leaf, structure
    )


def _example(kind: Any) -> Tensor:
    """Values to record with where there are none: ones, and an identity added to matrices."""
    array = np.ones(kind.shape, kind.dtype)
    if len(kind.shape) > 1 and kind.shape[-1] == kind.shape[-2] and array.dtype.kind == "f":
        array = array + np.eye(kind.shape[-1], dtype=kind.dtype)
    return Tensor(array)


class _Tracer(Recorder):
    """A recorder that also notes which slots have a tape behind them, for `detach`, `no_grad`."""

    def __init__(self) -> None:
        super().__init__()
        self.tracked: set[Slot] = set()
        self._originals: list[Any] = []  # constants are known by id: none may be given away

    def constant(self, array: Any) -> Any:
        traced = super().constant(array)
        if self.constants[traced.slot] is array:  # what it holds now, whatever happens to it later
            self._originals.append(array)
            self.constants[traced.slot] = np.array(array)
        return traced

    def apply(self, primitive: Any, inputs: tuple, attributes: dict[str, Any]) -> Any:
        recording = current().recording
        stopped = tuple(
            Tensor._make(self.stop(value._data), None)
            if isinstance(value, Tensor) and not (value._tracked and recording) else value
            for value in inputs
        )  # fmt: skip
        ans, extras = super().apply(primitive, stopped, attributes)
        if isinstance(ans, Tensor) and ans._tracked:
            self.tracked.add(ans._data.slot)
        return ans, extras

    def stop(self, traced: Any) -> Any:
        """The same values with no tape behind them."""
        if getattr(traced, "slot", None) not in self.tracked:
            return traced
        return self.kernel("identity", (traced,), {})


def _traced(f: Callable, examples: Any) -> Program:
    recorder = _Tracer()
    given = list(tree.leaves(list(examples)))
    arrays = [np.array(_as_array(value)) for value in given]
    with instrument.recording(recorder), changed(recording=True, checkpoint=None, nested=True):
        inputs = []
        for array, value in zip(arrays, given, strict=True):
            traced = recorder.traced(array)
            tensor = Tensor._make(traced, None)
            tensor.name = value.name if isinstance(value, Tensor) else None
            if array.dtype.kind in "fc":
                tensor.requires_grad = True
                recorder.tracked.add(traced.slot)
            inputs.append(tensor)
        count = iter(range(len(given)))
        structure = tree.map_leaves(lambda _: Place(next(count)), list(examples))
        result = f(*_filled(structure, inputs))
        outputs: list[Any] = []
        returned = tree.map_leaves(lambda leaf: _returned(recorder, leaf, outputs), result)
    listing = Listing(
        tuple(tensor._data.slot for tensor in inputs), dict(recorder.constants),
        recorder.instructions, tuple(outputs), recorder.types,
    )  # fmt: skip
    return Program(without_dead_code(listing)[0].ordered(), structure, returned, arrays)


def _as_array(value: Any) -> Any:
    value = value._data if isinstance(value, Tensor) else value
    if hasattr(value, "slot"):
        refuse("a program is recorded with a tensor that is itself being recorded")
    array = np.asarray(value)
    return array if hasattr(value, "dtype") or array.dtype != np.float64 else array.astype("f4")


def _returned(recorder: _Tracer, leaf: Any, outputs: list) -> Any:
    if not isinstance(leaf, Tensor):
        if isinstance(leaf, Seed) or not hasattr(leaf, "slot"):
            return leaf
        outputs.append(leaf.slot)
        return Place(len(outputs) - 1)
    data = leaf._data if leaf._tracked else recorder.stop(leaf._data)
    outputs.append(data.slot)
    return Place(len(outputs) - 1)
