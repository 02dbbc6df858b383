"""Data: batches, splits, standardisation, and the handwritten digits."""

from .digits import Split, digits
from .loading import batches, standardise, stratified_split

__all__ = ["Split", "batches", "digits", "standardise", "stratified_split"]
