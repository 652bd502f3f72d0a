"""Draws queries with replacement by a law of popularity, so that prompts come again, as caches need. It knows no cache.

The rows then come as they were drawn, independently of each other. A row that is drawn twice is one prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.errors import check_number
from sim.interface import IntArray
from sim.workload import Rows


@dataclass(frozen=True)
class Zipf:
    """Rows by Zipf's law: the row of rank r has a share of the arrivals that is proportional to 1 / r^exponent.

    Which row has which rank is drawn anew in each replication.

    Parameters
    ----------
    exponent : float
        At least 0: 0 makes all rows alike; web requests and search terms have about 0.6 to 1.
    """

    exponent: float = 1.0

    with_replacement = True

    def __post_init__(self) -> None:
        """Check the exponent."""
        check_number("exponent", self.exponent, least=0)

    def drawn(self, n_rows: int, n_queries: int, rng: np.random.Generator) -> IntArray:
        """Return the rows that arrive (n_queries,)."""
        ranked = rng.permutation(n_rows)
        share = np.cumsum(np.arange(1, n_rows + 1, dtype=np.float64) ** -self.exponent)
        rank = np.searchsorted(share, rng.random(n_queries) * share[-1], side="right")
        row: IntArray = ranked[np.minimum(rank, n_rows - 1)]
        return row

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the places (n_queries,) as they are."""
        return np.arange(len(rows))


@dataclass(frozen=True)
class Power:
    """Rows by a power law: row floor(n U^(1 / exponent)) of n, with U uniform on [0, 1).

    So the first k rows have a share of (k / n)^exponent of the arrivals. Below 1 the first rows are the most popular;
    at 1 all are alike; above 1 it is the last rows. It is the law of the synthetic data in arXiv 2306.02003.

    Parameters
    ----------
    exponent : float
        Above 0; that paper's alpha.
    """

    exponent: float = 0.5

    with_replacement = True

    def __post_init__(self) -> None:
        """Check the exponent."""
        check_number("exponent", self.exponent, above=0)

    def drawn(self, n_rows: int, n_queries: int, rng: np.random.Generator) -> IntArray:
        """Return the rows that arrive (n_queries,)."""
        row: IntArray = (n_rows * rng.random(n_queries) ** (1 / self.exponent)).astype(np.int64)
        return np.minimum(row, n_rows - 1)

    def __call__(self, rows: Rows, rng: np.random.Generator) -> IntArray:
        """Return the places (n_queries,) as they are."""
        return np.arange(len(rows))
