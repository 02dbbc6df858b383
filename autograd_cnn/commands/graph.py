"""`autograd-cnn graph`: draw what a function, a network or a tensor computes.

A file is run, a module imported, and nothing else is. What it names may be a recorded tensor, a
graph, a Program, a module or a function; the last two are called with inputs of the given shapes.
Without --out the table of the computation is printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..named import TargetError, find
from .arguments import whole_number

LEVELS, PASSES = ("module", "op", "scalar"), ("ladder", "overlay", "only")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands to a parser."""
    add = parser.add_argument
    add("target", metavar="TARGET", help="FILE.py:NAME, MODULE:NAME, or a name in ag.models")
    add("-o", "--out", metavar="FILE",
        help="the picture: .svg .png .pdf .html .gv .json .graphml .gexf or .mmd")  # fmt: skip
    add("--shape", action="append", default=[], metavar="1x3x32x32",
        help="an input of normal numbers (seed 0), or scalar; once for each")  # fmt: skip
    add("--view", type=_view, default={}, metavar="KIND,…",
        help="module, op or scalar; ladder, overlay or only for the backward pass")  # fmt: skip
    add("--depth", type=whole_number(1), metavar="N", help="modules of this depth as cards")
    add("--no-fold", dest="fold", action="store_false", help="keep equal modules apart")
    add("--color", metavar="WHAT",
        help="grad_norm, flops, bytes, time, backward_time, or FILE.py:FUNCTION")  # fmt: skip
    add("--show", type=_words, metavar="WORD,…",
        help="shape, params, attrs, dtype, stats, maps, receptive_field, kept, source")  # fmt: skip
    add("--hide", action="append", default=[], metavar="NAME",
        help="leave out operations of this name or family; once for each")  # fmt: skip
    add("--from", dest="start", metavar="NODE", help="only what follows from a node or module")
    add("--to", dest="end", metavar="NODE", help="only what leads to a node or module")
    add("--direction", choices=("TB", "LR"), help="downwards or to the right")
    add("--layout", choices=("auto", "dot", "lanes"), default="auto")
    add("--theme", choices=("light", "dark", "print"), default="light")
    add("--symbols", choices=("unicode", "ascii"), default="unicode")


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    from ..errors import ShapeError, TapeError
    from ..graphs.render import RenderError
    from ..graphs.target import graph_of

    options = _options(chosen)
    found, name = _found(chosen.target)
    try:
        graph = graph_of(found, name, chosen.shape, _watch(options))
    except ShapeError as error:
        shapes = ", ".join(chosen.shape)
        raise TargetError(f"{name} cannot be called with {shapes}: {error}") from error
    try:
        graph = _part(graph, chosen)
        print(graph.view(**options).save(chosen.out) if chosen.out else graph.summary())
    except (ValueError, TapeError, RenderError) as error:
        raise TargetError(str(error)) from error
    return 0


def _options(chosen: argparse.Namespace) -> dict[str, Any]:
    """The options of the view, checked before any file is run."""
    from ..graphs.view import check_format, check_options

    names = ("depth", "fold", "color", "show", "direction", "layout", "theme", "symbols")
    options = {name: getattr(chosen, name) for name in names} | chosen.view
    if chosen.show is None:
        del options["show"]
    if options["color"] and ":" in options["color"]:
        options["color"] = _function(options["color"])
    try:
        check_options(options)
        if chosen.out:
            check_format(Path(chosen.out).suffix.removeprefix("."))
    except ValueError as error:
        raise TargetError(str(error)) from error
    return options


def _function(target: str) -> Callable:
    found = find(target)
    if not callable(found):
        raise TargetError(f"--color {target} is no function of a node: {type(found).__name__}")
    return found


def _found(target: str) -> tuple[Any, str]:
    """What is to be drawn, and its name; networks of ours are made with their defaults."""
    from .. import models, nn

    if ":" in target or target.endswith(".py"):
        return find(target), target.rpartition(":")[2]
    if target not in models.__all__:
        known = ", ".join(models.__all__)
        raise TargetError(f"{target!r} is not FILE.py:NAME, and ag.models has only {known}")
    found = getattr(models, target)
    return found if isinstance(found, nn.Module) else found(), target


def _watch(options: dict[str, Any]) -> Any:
    """A watch, if the view shows what only a run can tell."""
    from ..graphs import Watch

    shown = set(options.get("show", ()))
    timed = options["color"] in ("time", "backward_time") or callable(options["color"])
    if not (timed or shown & {"stats", "maps"}):
        return None
    return Watch(maps=6 if "maps" in shown else 0)


def _part(graph: Any, chosen: argparse.Namespace) -> Any:
    """The part of the graph that was asked for."""
    if chosen.start and chosen.end:
        graph = graph.slice_between(chosen.start, chosen.end)
    elif chosen.start:
        graph = graph.descendants(chosen.start)
    elif chosen.end:
        graph = graph.ancestors(chosen.end)
    return graph.hide(*chosen.hide) if chosen.hide else graph


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _view(text: str) -> dict[str, str]:
    """A level, a way to draw the backward pass, or one of each."""
    chosen: dict[str, str] = {}
    for word in _words(text):
        name = "level" if word in LEVELS else "backward" if word in PASSES else ""
        if not name:
            known = ", ".join((*LEVELS, *PASSES))
            raise argparse.ArgumentTypeError(f"{word!r} is none of {known}")
        if name in chosen:
            raise argparse.ArgumentTypeError(f"{chosen[name]} and {word} exclude each other")
        chosen[name] = word
    return chosen
