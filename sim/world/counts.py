"""Numbers per deployment that the world writes and policies read. It knows neither."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from sim.instance import frozen
from sim.interface import FloatArray, IntArray


class Counts:
    """Whole numbers: ``write`` them one by one; ``view`` (n_deployments,) is read-only and follows."""

    # One element of a standard-library array is written several times faster than one of a NumPy array.
    def __init__(self, n_deployments: int) -> None:
        self.write = array("q", [0]) * n_deployments
        self.view: IntArray = frozen(np.frombuffer(self.write, dtype=np.int64))


class Amounts:
    """The same for amounts, from given starting values."""

    def __init__(self, start: Iterable[float]) -> None:
        self.write = array("d", start)
        self.view: FloatArray = frozen(np.frombuffer(self.write, dtype=np.float64))
