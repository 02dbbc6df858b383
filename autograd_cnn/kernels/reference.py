"""The obvious loops."""

from __future__ import annotations

from .base import Kernels


class ReferenceKernels(Kernels):
    """Reference kernels."""

    name = "reference"
