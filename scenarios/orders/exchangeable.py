"""Draws orders in which every place is alike, as the random-order and the i.i.d. model assume."""

from __future__ import annotations

import numpy as np

from sim.interface import IntArray
from sim.workload import Rows


def shuffled(rows: Rows, rng: np.random.Generator) -> IntArray:
    """Draw a uniformly random permutation, the order that PORT's guarantee assumes (arXiv 2509.02718)."""
    return rng.permutation(len(rows))


class Resampled:
    """Independent draws with replacement: the i.i.d. model, where a query may come twice and another not at all.

    ``with_replacement`` makes the scenario draw the rows so; they then come as they were drawn.
    """

    with_replacement = True

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the places (n_queries,) as they are."""
        return np.arange(len(rows))
