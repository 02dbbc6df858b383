"""LLVM assembly written with Python's operators: values, loops, vectors and calls, nothing more.

A `Function` collects lines of text; LLVM's own passes turn its variables into registers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

INTEGER, FLOAT, DOUBLE, POINTER = "i64", "float", "double", "ptr"
_WORDS = {"+": "add", "-": "sub", "*": "mul", "/": "div"}


@dataclass(frozen=True, slots=True)
class Value:
    """A 64-bit integer, a float, a vector of floats or a pointer to floats."""

    function: Function
    kind: str
    text: str

    def __add__(self, other: Value | int) -> Value:
        if self.kind == POINTER:
            return self.function.step(self, other, FLOAT)
        return self._combine("+", other)

    def __sub__(self, other: Value | int) -> Value:
        return self._combine("-", other)

    def __mul__(self, other: Value | int) -> Value:
        return self._combine("*", other)

    def __truediv__(self, other: Value) -> Value:
        return self._combine("/", other)

    def __floordiv__(self, other: Value | int) -> Value:
        return self.function.emit(INTEGER, f"sdiv i64 {self.text}, {_text(other)}")

    def __lt__(self, other: Value | int) -> Value:
        return self._compare("slt", "olt", other)

    def __gt__(self, other: Value | int) -> Value:
        return self._compare("sgt", "ogt", other)

    def _combine(self, sign: str, other: Value | int) -> Value:
        word = _WORDS[sign] if self.kind == INTEGER else "f" + _WORDS[sign]
        return self.function.emit(self.kind, f"{word} {self.kind} {self.text}, {_text(other)}")

    def _compare(self, whole: str, real: str, other: Value | int) -> Value:
        word = f"icmp {whole}" if self.kind == INTEGER else f"fcmp {real}"
        kind = self.kind.replace("float", "i1") if "x" in self.kind else "i1"
        return self.function.emit(kind, f"{word} {self.kind} {self.text}, {_text(other)}")


class Variable:
    """A value that changes."""

    def __init__(self, function: Function, value: Value) -> None:
        self.function, self.kind = function, value.kind
        self.place = function.reserve(value.kind)
        self.set(value)

    def get(self) -> Value:
        return self.function.emit(self.kind, f"load {self.kind}, ptr {self.place}")

    def set(self, value: Value) -> None:
        self.function.line(f"store {self.kind} {value.text}, ptr {self.place}")


class Function:
    """A native function without a result; the names of its pointer arguments end in `*`."""

    def __init__(self, name: str, arguments: str, lanes: int = 1) -> None:
        self.name, self.lanes = name, lanes
        self.vector = f"<{lanes} x float>"
        self._reserved: list[str] = []
        self._lines: list[str] = []
        self._declared: set[str] = set()
        self._count = 0
        names = arguments.split()
        kinds = [POINTER if each.endswith("*") else INTEGER for each in names]
        self.arguments = [
            Value(self, kind, f"%a{number}") for number, kind in enumerate(kinds)
        ]  # fmt: skip

    def __str__(self) -> str:
        arguments = ", ".join(f"{value.kind} {value.text}" for value in self.arguments)
        return "\n".join(
            [
                *sorted(self._declared),
                f"define void @{self.name}({arguments}) {{",
                "entry:",
                *self._reserved,
                "br label %start",
                "start:",
                *self._lines,
                "ret void",
                "}",
            ]
        )

    # text

    def line(self, text: str) -> None:
        self._lines.append(text)

    def fresh(self, letter: str = "v") -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def emit(self, kind: str, text: str) -> Value:
        name = f"%{self.fresh()}"
        self.line(f"{name} = {text}")
        return Value(self, kind, name)

    def reserve(self, kind: str) -> str:
        name = f"%{self.fresh('r')}"
        self._reserved.append(f"{name} = alloca {kind}")
        return name

    # values

    def integer(self, value: int) -> Value:
        return Value(self, INTEGER, str(value))

    def real(self, value: float, kind: str = FLOAT) -> Value:
        """A constant: the nearest number of its kind, which only hexadecimal digits can spell."""
        nearest = struct.unpack("f", struct.pack("f", value))[0] if kind == FLOAT else value
        return Value(self, kind, f"0x{struct.pack('>d', nearest).hex().upper()}")

    def zeros(self) -> Value:
        return Value(self, self.vector, "zeroinitializer")

    def smaller(self, x: Value, y: Value | int) -> Value:
        return self.choose(x < y, x, y)

    def larger(self, x: Value, y: Value | int) -> Value:
        return self.choose(x > y, x, y)

    def choose(self, condition: Value, x: Value, y: Value | int) -> Value:
        return self.emit(
            x.kind,
            f"select {condition.kind} {condition.text}, {x.kind} {x.text}, {x.kind} {_text(y)}",
        )

    def convert(self, value: Value, kind: str) -> Value:
        """An integer or real numbers as real numbers of another width."""
        words = {INTEGER: "sitofp", FLOAT: "fpext", DOUBLE: "fptrunc", self.vector: "fpext"}
        word = words[value.kind]
        return self.emit(kind, f"{word} {value.kind} {value.text} to {kind}")

    def square_root(self, x: Value) -> Value:
        return self.intrinsic("sqrt", x)

    # memory

    def step(self, pointer: Value, count: Value | int, kind: str) -> Value:
        """`pointer` moved by `count` entries of `kind`."""
        return self.emit(POINTER, f"getelementptr {kind}, ptr {pointer.text}, i64 {_text(count)}")

    def load(self, pointer: Value, kind: str = FLOAT) -> Value:
        align = 8 if kind in (INTEGER, POINTER, DOUBLE) else 4
        return self.emit(kind, f"load {kind}, ptr {pointer.text}, align {align}")

    def store(self, value: Value, pointer: Value) -> None:
        self.line(f"store {value.kind} {value.text}, ptr {pointer.text}, align 4")

    def fields(self, table: Value, names: str) -> dict[str, Value]:
        """The entries of a table of 64-bit words by their names, pointers' ending in `*`."""
        return {
            name.rstrip("*"): self.load(
                self.step(table, place, INTEGER), POINTER if name.endswith("*") else INTEGER
            )
            for place, name in enumerate(names.split())
        }

    def clear(self, pointer: Value, count: Value) -> None:
        """Zeros in `count` floats."""
        self._declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        size = count * 4
        self.line(
            f"call void @llvm.memset.p0.i64(ptr align 4 {pointer.text}, i8 0, i64 {size.text}, "
            "i1 false)"
        )

    # vectors

    def splat(self, value: Value) -> Value:
        one = self.emit(
            self.vector, f"insertelement {self.vector} poison, float {value.text}, i32 0"
        )
        return self.shuffle(one, one, [0] * self.lanes)

    def shuffle(self, x: Value, y: Value, lanes: Sequence[int]) -> Value:
        """Lanes of x (from 0) and of y (from the width on); a negative one does not matter."""
        numbers = ", ".join("i32 poison" if lane < 0 else f"i32 {lane}" for lane in lanes)
        return self.emit(
            f"<{len(lanes)} x float>",
            f"shufflevector {x.kind} {x.text}, {y.kind} {y.text}, <{len(lanes)} x i32> <{numbers}>",
        )

    def lane(self, x: Value, number: int) -> Value:
        kind = x.kind.rstrip(">").split()[-1]
        return self.emit(kind, f"extractelement {x.kind} {x.text}, i32 {number}")

    def multiply_add(self, x: Value, y: Value, z: Value) -> Value:
        """x·y + z, rounded once where the machine can."""
        return self.intrinsic("fmuladd", x, y, z)

    def intrinsic(self, name: str, *values: Value) -> Value:
        """What LLVM calls `name`, of real numbers or of vectors of floats."""
        kind = values[0].kind
        suffix = {FLOAT: "f32", DOUBLE: "f64", self.vector: f"v{self.lanes}f32"}[kind]
        self._declared.add(
            f"declare {kind} @llvm.{name}.{suffix}({', '.join([kind] * len(values))})"
        )
        operands = ", ".join(f"{kind} {value.text}" for value in values)
        return self.emit(kind, f"call {kind} @llvm.{name}.{suffix}({operands})")

    def test(self, word: str, x: Value, y: Value) -> Value:
        """Whether x and y compare as LLVM's `word` says: ogt, oeq, uno …"""
        return self.emit(self.condition(x.kind), f"fcmp {word} {x.kind} {x.text}, {y.text}")

    def condition(self, kind: str) -> str:
        """The kind of a comparison's answer."""
        return kind.replace(FLOAT, "i1")

    def mask(self, count: Value, first: int = 0, every: int = 1) -> Value:
        """Which lanes, numbered from `first`, are below `count` and multiples of `every`."""
        kind, bits = f"<{self.lanes} x i32>", f"<{self.lanes} x i1>"
        short = self.emit("i32", f"trunc i64 {count.text} to i32")
        one = self.emit(kind, f"insertelement {kind} poison, i32 {short.text}, i32 0")
        many = self.emit(
            kind, f"shufflevector {kind} {one.text}, {kind} poison, {kind} zeroinitializer"
        )
        lanes = range(first, first + self.lanes)
        numbers = ", ".join(f"i32 {lane if lane % every == 0 else 2**31 - 1}" for lane in lanes)
        return self.emit(bits, f"icmp slt {kind} <{numbers}>, {many.text}")

    def load_masked(self, pointer: Value, mask: Value) -> Value:
        """The lanes that the mask names, zeros elsewhere; nothing else is read."""
        name = f"@llvm.masked.load.v{self.lanes}f32.p0"
        self._declared.add(
            f"declare {self.vector} {name}(ptr, i32, <{self.lanes} x i1>, {self.vector})"
        )
        return self.emit(
            self.vector,
            f"call {self.vector} {name}(ptr {pointer.text}, i32 4, {mask.kind} {mask.text}, "
            f"{self.vector} zeroinitializer)",
        )

    def store_masked(self, value: Value, pointer: Value, mask: Value) -> None:
        name = f"@llvm.masked.store.v{self.lanes}f32.p0"
        self._declared.add(f"declare void {name}({self.vector}, ptr, i32, <{self.lanes} x i1>)")
        self.line(
            f"call void {name}({self.vector} {value.text}, ptr {pointer.text}, i32 4, "
            f"{mask.kind} {mask.text})"
        )

    # control

    @contextmanager
    def loop(self, stop: Value | int, start: Value | int = 0, step: int = 1) -> Iterator[Value]:
        """The block below, for each number from `start` up to but not including `stop`."""
        name = self.fresh("loop")
        first = start if isinstance(start, Value) else self.integer(start)
        counter = Variable(self, first)
        self.line(f"br label %{name}.test")
        self.line(f"{name}.test:")
        number = counter.get()
        inside = number < stop
        self.line(f"br i1 {inside.text}, label %{name}.body, label %{name}.end")
        self.line(f"{name}.body:")
        yield number
        counter.set(number + step)
        self.line(f"br label %{name}.test")
        self.line(f"{name}.end:")

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """The block below, where the condition holds."""
        name = self.fresh("when")
        self.line(f"br i1 {condition.text}, label %{name}.then, label %{name}.end")
        self.line(f"{name}.then:")
        yield
        self.line(f"br label %{name}.end")
        self.line(f"{name}.end:")

    def call(self, function: Value, *arguments: Value) -> None:
        text = ", ".join(f"{value.kind} {value.text}" for value in arguments)
        self.line(f"call void {function.text}({text})")


def _text(value: Value | int) -> str:
    return value.text if isinstance(value, Value) else str(value)
