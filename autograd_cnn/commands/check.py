"""`autograd-cnn check`: the gradient checker, which has its command line beside it."""

from ..testing.console import add_arguments, run

__all__ = ["add_arguments", "run"]
