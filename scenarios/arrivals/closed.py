"""Makes users that wait for an answer, think, and ask again, so that arrivals depend on how fast they are served."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.errors import check_number
from sim.interface import FloatArray


@dataclass(frozen=True)
class ClosedLoop:
    """A fixed number of users; each thinks for an exponential time, asks, and thinks again once its query has ended.

    Parameters
    ----------
    users : int
        How many there are; each has one query at a time.
    mean_think_s : float
        From an answer to the user's next query, in seconds; 0 asks again at once.

    Raises
    ------
    ValueError
        If there is no user or the time is negative.
    """

    users: int
    mean_think_s: float

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_number("users", self.users, least=1)
        check_number("mean_think_s", self.mean_think_s, least=0)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return zeros (n_queries,): the world makes the times."""
        return np.zeros(n_queries)

    def think_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return how long the user thinks before each query (n_queries,)."""
        return rng.exponential(self.mean_think_s, n_queries)
