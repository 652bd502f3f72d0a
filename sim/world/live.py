"""Holds numbers per deployment that the world writes and policies read. It knows neither of them.

``write`` takes them one by one; ``view`` (n_deployments,) is read-only and follows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np

from sim.interface import BoolArray, FloatArray, IntArray
from sim.truth import frozen


class Counts:
    """Whole numbers, from 0."""

    # One element of a memoryview is written several times faster than one of a NumPy array.
    def __init__(self, n_deployments: int) -> None:
        self.write = memoryview(array("q", [0]) * n_deployments)
        self.view: IntArray = frozen(np.frombuffer(self.write, dtype=np.int64))


class Flags:
    """True or false, from True."""

    def __init__(self, n_deployments: int) -> None:
        self.write = memoryview(array("b", [1]) * n_deployments)
        self.view: BoolArray = frozen(np.frombuffer(self.write, dtype=np.bool_))


class Amounts:
    """Real numbers, from given values."""

    def __init__(self, start: Iterable[float]) -> None:
        self.write = array("d", start)
        self.view: FloatArray = frozen(np.frombuffer(self.write, dtype=np.float64))
