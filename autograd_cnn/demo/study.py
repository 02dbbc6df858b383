"""What the steps of the demo share: a trained network and the digits it never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data import Split
from ..models import DigitsNet
from ..tensor import Tensor, tensor


@dataclass(frozen=True)
class Study:
    """A trained network in evaluation mode, held-out digits, and where and how to work."""

    net: DigitsNet
    test: Split
    seed: int
    device: str

    def images(self, places: np.ndarray) -> Tensor:
        """Some held-out digits, on the device of the network."""
        return tensor(self.test.x[places], device=self.device)

    def one_of_each(self, digits: tuple[int, ...]) -> np.ndarray:
        """The first held-out sample of each digit."""
        return np.array([np.flatnonzero(self.test.y == digit)[0] for digit in digits])


def percent(part: float) -> str:
    """0.9934 as 99.3 %; what would round up to all or down to nothing says so."""
    if 0.9995 <= part < 1.0:
        return "> 99.9 %"
    return "< 0.1 %" if 0.0 < part < 0.0005 else f"{100 * part:.1f} %"
