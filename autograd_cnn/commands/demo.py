"""`autograd-cnn demo`: everything that the library does, on handwritten digits."""

from __future__ import annotations

import argparse

from .arguments import whole_number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands to a parser."""
    parser.add_argument("--out", default="autograd-cnn-demo", metavar="DIR", help="where to write")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N")
    parser.add_argument("--epochs", type=whole_number(1), default=20, metavar="N")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    from ..demo import run

    run(chosen.out, chosen.seed, chosen.epochs, chosen.device)
    return 0
