"""Training: the loop, evaluation, checkpoints, and weights in files."""

from .files import load, save
from .history import History
from .loop import Evaluation, State, evaluate, fit

__all__ = ["Evaluation", "History", "State", "evaluate", "fit", "load", "save"]
