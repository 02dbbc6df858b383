"""Data: batches, splits, standardisation, and real images that need no network."""

from .digits import Split, digits
from .loading import batches, standardise, stratified_split
from .photographs import faces, photograph, textures
from .shortcut import ShortcutDigits, shortcut_digits

__all__ = [
    "ShortcutDigits",
    "Split",
    "batches",
    "digits",
    "faces",
    "photograph",
    "shortcut_digits",
    "standardise",
    "stratified_split",
    "textures",
]
