"""In which order the test rows arrive: functions from rows and a random stream to row numbers."""

from __future__ import annotations

import numpy as np

from sim.interface import IntArray
from sim.workload import Rows


def given(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Keep the order of the data set."""
    return np.arange(len(rows))


def shuffled(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Draw a uniformly random permutation, the order that PORT's guarantee assumes (arXiv 2509.02718)."""
    return rng.permutation(len(rows))
