"""`autograd-cnn explain`."""

from __future__ import annotations

import argparse

from .model import add_model, load_image, load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command understands to a parser."""
    add_model(parser)


def run(chosen: argparse.Namespace) -> int:
    """Run the command with parsed arguments."""
    load_image(chosen, load_model(chosen))
    return 0
