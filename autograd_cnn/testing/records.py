"""One record for every primitive: how its arguments are drawn, and what is known of its kinks.

A primitive of the table without a record fails the suite. A law that does not apply to a record
says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..primitive import TABLE
from .draw import Draw


@dataclass(frozen=True)
class Sample:
    """Arguments of one call: inputs (arrays, or None for an optional one) and attributes."""

    inputs: tuple
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class KinkSample:
    """A point on a kink, and the documented gradient there for a cotangent of ones."""

    inputs: tuple
    attributes: dict[str, Any]
    gradients: dict[str, Any]


@dataclass(frozen=True)
class Record:
    """What the laws need to know of one operation.

    `why_not` says of some laws why they do not apply, `not_repeated` why its arguments cannot have
    equal rows, as a stride of 0 makes them.
    """

    name: str
    function: Callable[..., Any]
    make: Callable[[Draw], Sample]
    kinks: tuple[KinkSample, ...] = ()
    why_not: dict[int, str] = field(default_factory=dict)
    keeps_dtype: bool = True
    not_repeated: str | None = None


RECORDS: dict[str, Record] = {}
"""The records of the primitives, by name."""

COMPOSITES: dict[str, Record] = {}
"""The records of public functions that are made of primitives, by name."""


def record(name: str, make: Callable[[Draw], Sample], **options: Any) -> None:
    """Add the record of a primitive of the table."""
    RECORDS[name] = Record(name, TABLE[name], make, **options)


def composite(function: Callable[..., Any], make: Callable[[Draw], Sample], **options: Any) -> None:
    """Add the record of a public function."""
    name = options.pop("name", function.__name__)
    COMPOSITES[name] = Record(name, function, make, **options)


def record_of(name: str) -> Record:
    """The record of a primitive; LookupError where there is none."""
    load()
    if name not in RECORDS:
        raise LookupError(
            f"{name} has no record of how to draw its arguments: give some to check(), or add one"
        )
    return RECORDS[name]


def load() -> None:
    """Import every family of records."""
    from . import (  # noqa: F401
        records_elementwise,
        records_layers,
        records_structure,
        records_widened,
        relations_composites,
        relations_elementwise,
        relations_layers,
    )


def sample(*inputs: Any, **attributes: Any) -> Sample:
    """Inputs by place, attributes by name."""
    return Sample(inputs, attributes)


def kink(inputs: Any, gradients: dict[str, Any], **attributes: Any) -> KinkSample:
    """A point on a kink and its documented gradients."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    arrays = tuple(np.asarray(v, np.float64) if isinstance(v, (list, float)) else v for v in inputs)
    return KinkSample(arrays, attributes, gradients)
