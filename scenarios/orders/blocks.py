"""Draws blocks of consecutive rows of a recorded trace, so that each replication is another day like it.

What follows what within a block stays: bursts, sessions, and queries that come after each other. It reads no file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.errors import check_number
from sim.interface import IntArray
from sim.workload import Rows


@dataclass(frozen=True)
class Blocks:
    """Blocks of so many consecutive rows, drawn independently and with replacement, one after the other.

    The moving-block bootstrap of Kuensch (The jackknife and the bootstrap for general stationary observations, Annals
    of Statistics 17, 1989): every run of ``rows`` consecutive rows is as likely as every other; the last block is cut.
    With ``arrivals=replay arrivals.by_row=true`` each row keeps its gap to the one before it in the trace.

    Parameters
    ----------
    rows : int
        At least 1. Long enough that what depends on what is within a block, and short enough that a trace has many.
    """

    rows: int = 200

    with_replacement = True

    def __post_init__(self) -> None:
        """Check the length."""
        check_number("order.blocks.rows", self.rows, least=1)

    def drawn(self, n_rows: int, n_queries: int, rng: np.random.Generator) -> IntArray:
        """Return the rows that arrive (n_queries,)."""
        length = min(self.rows, n_rows)
        begins = rng.integers(n_rows - length + 1, size=-(-n_queries // length))
        row: IntArray = (begins[:, None] + np.arange(length)).ravel()[:n_queries]
        return row

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the places (n_queries,) as they are."""
        return np.arange(len(rows))
