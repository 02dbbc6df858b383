"""`autograd-cnn check`: the laws from the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..named import find


def command(argv: Sequence[str] | None = None) -> int:
    """Run `autograd-cnn check …`; returns the exit status: 0, 1 for a broken law, 2 for misuse.

    >>> from autograd_cnn.testing import command
    >>> command(["autograd_cnn:tanh", "--shape", "2,3", "--laws", "2,3"])  # doctest: +ELLIPSIS
    tanh: 2 laws hold, ... evaluations
    ...
    0
    """
    parser = argparse.ArgumentParser(prog="autograd-cnn check", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands to a parser."""
    add = parser.add_argument
    add("function", nargs="?", metavar="MODULE:FUNCTION",
        help="a function or a primitive of a module or of FILE.py")  # fmt: skip
    add("--shape", action="append", default=[], type=_shape, metavar="2,3,8,8",
        help="the shape of one argument of normal numbers; once for each argument")  # fmt: skip
    add("--all", action="store_true", help="every operation of the library, as a table")
    add("--mutations", action="store_true", help="make every rule wrong: is it noticed?")
    add("--laws", type=_numbers, metavar="1,3", help="only these laws")
    add("--order", type=int, default=2, metavar="N", help="the highest derivative (2)")
    add("--seed", type=int, default=0, metavar="N")
    add("--draws", type=int, default=2, metavar="N", help="drawn arguments each, with --all (2)")


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    from .checker import chosen_laws

    wanted = [bool(chosen.function), chosen.all, chosen.mutations]
    if sum(wanted) != 1:
        print("autograd-cnn check: give MODULE:FUNCTION, --all or --mutations", file=sys.stderr)
        return 2
    try:
        chosen_laws(chosen.laws, chosen.order)
        if chosen.function:
            function = _named(chosen)
    except ValueError as error:
        print(f"autograd-cnn check: {error}", file=sys.stderr)
        return 2
    if chosen.function:
        return _function(chosen, function)
    return _all(chosen) if chosen.all else _mutations(chosen)


def _named(chosen: argparse.Namespace) -> Any:
    """The function to check; ValueError where there is none, or no shape for its arguments."""
    from ..primitive import TABLE, Primitive

    function = find(chosen.function)
    if not chosen.shape and not (isinstance(function, Primitive) and function.name in TABLE):
        raise ValueError(f"{chosen.function} needs a --shape for each of its arguments")
    return function


def _function(chosen: argparse.Namespace, function: Any) -> int:
    import numpy as np

    from ..errors import GradientError
    from .checker import check

    rng = np.random.default_rng(chosen.seed)
    arguments = [rng.standard_normal(shape) for shape in chosen.shape]
    try:
        print(check(function, *arguments, order=chosen.order, laws=chosen.laws, seed=chosen.seed))
    except GradientError as error:
        print(error)
        return 1
    return 0


def _all(chosen: argparse.Namespace) -> int:
    from .table import check_table

    table = check_table(
        draws=chosen.draws, order=chosen.order, laws=chosen.laws, seed=chosen.seed,
        progress=_progress(),
    )  # fmt: skip
    print(table)
    print(table.why_not())
    print(table.skips())
    for error in table.errors:
        print(f"\n{error}")
    return 0 if table.ok else 1


def _mutations(chosen: argparse.Namespace) -> int:
    from .mutation import mutation_score

    score = mutation_score(seed=chosen.seed)
    print(score)
    return 0 if score.score == 1.0 else 1


def _progress() -> Callable[[str], None] | None:
    """Names on one line that is written over, where someone is looking."""
    if not sys.stderr.isatty():
        return None
    return lambda name: print(f"\r\x1b[K{name}", end="\r", file=sys.stderr, flush=True)


def _shape(text: str) -> tuple[int, ...]:
    return _numbers(text) if text.strip() not in ("", "()") else ()


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers") from error
