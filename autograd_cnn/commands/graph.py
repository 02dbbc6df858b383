"""`autograd-cnn graph`: draw what a function, a network or a tensor computes."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands to a parser."""
    parser.add_argument("target", metavar="FILE.py:NAME", help="a function, module or tensor")
    parser.add_argument("-o", "--out", required=True, metavar="FILE", help="such as out.svg")
    parser.add_argument("--shape", action="append", default=[], metavar="1x3x32x32")


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    from ..graphs import draw_target

    print(draw_target(chosen.target, chosen.out, chosen.shape))
    return 0
