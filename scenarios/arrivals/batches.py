"""Draws arrivals that belong together: several at once, or the turns of a session. No turn waits for an answer."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from scenarios.arrivals.rates import LEAST, MOST
from sim.errors import check_number
from sim.interface import FloatArray, IntArray


@dataclass(frozen=True)
class Batches:
    """Poisson batches of queries that arrive at one instant; the last batch is cut at n_queries.

    Parameters
    ----------
    rate_per_s : float
        Batches per second, positive; queries arrive at rate_per_s x mean_size.
    mean_size : float
        Queries in a batch; at least 1.
    fixed : bool
        Whether every batch has exactly mean_size queries, a whole number. If not, sizes are geometric on 1, 2, ...

    Raises
    ------
    ValueError
        If the rate or the size cannot be right.
    """

    rate_per_s: float
    mean_size: float
    fixed: bool = False

    def __post_init__(self) -> None:
        """Check rate and size."""
        check_number("rate_per_s", self.rate_per_s, least=LEAST, most=MOST)
        check_number("mean_size", self.mean_size, least=1)
        if self.fixed and self.mean_size != int(self.mean_size):
            raise ValueError(f"mean_size is {self.mean_size}; it must be a whole number if every size is fixed")

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        size = min(int(self.mean_size), n_queries)
        sizes = np.full(n_queries, size) if self.fixed else counts(self.mean_size, n_queries, n_queries, rng)
        n_batches = int(np.searchsorted(np.cumsum(sizes), n_queries)) + 1
        batch_s = np.cumsum(rng.exponential(1 / self.rate_per_s, n_batches))
        return np.repeat(batch_s, sizes[:n_batches])[:n_queries]


@dataclass(frozen=True)
class Sessions:
    """Conversations that begin as a Poisson process; their turns, superposed and sorted, are the queries.

    Where the workload says which queries are turns of one session, they come as such: sessions begin as that process,
    in the order of arrival, and the turns of each follow in theirs, with exponential gaps. Their number is then the
    workload's, and ``mean_turns`` does nothing.

    Elsewhere a session has a geometric number of turns (1, 2, ...) with exponential gaps between them. Gaps are drawn,
    not caused by answers: this is open loop. The first n_queries turns of all sessions are kept.

    At time 0 no session is under way. So the rate of queries begins at rate_per_s and rises to rate_per_s x mean_turns
    with the time constant w = mean_turns x mean_gap_s: it is rate_per_s [1 + (mean_turns - 1) (1 - e^(-t / w))],
    because a session of age s has a next turn pending with probability (1 - 1/mean_turns) e^(-s / w). After 5 w the
    rate is within 1% of its limit; statistics of the steady state should leave that out.

    Parameters
    ----------
    rate_per_s : float
        Sessions per second, positive.
    mean_turns : float
        Queries in a session; at least 1.
    mean_gap_s : float
        From one turn of a session to the next, positive.

    Raises
    ------
    ValueError
        If a parameter cannot be right.
    """

    rate_per_s: float
    mean_turns: float
    mean_gap_s: float

    def __post_init__(self) -> None:
        """Check rate, turns and gap."""
        check_number("rate_per_s", self.rate_per_s, least=LEAST, most=MOST)
        check_number("mean_turns", self.mean_turns, least=1)
        check_number("mean_gap_s", self.mean_gap_s, least=LEAST, most=MOST)

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,)."""
        n_sessions = ceil(n_queries / self.mean_turns) + 1
        times_s, now_s = np.empty(0), 0.0
        # No turn of a session yet to come is before the last begin, so n_queries turns up to there are the first ones.
        while np.count_nonzero(times_s <= now_s) < n_queries:
            begin_s = now_s + np.cumsum(rng.exponential(1 / self.rate_per_s, n_sessions))
            turns = counts(self.mean_turns, n_sessions, n_queries, rng)
            first = np.cumsum(turns) - turns
            elapsed_s = np.cumsum(rng.exponential(self.mean_gap_s, turns.sum()))
            turn_s = np.repeat(begin_s - elapsed_s[first], turns) + elapsed_s
            turn_s[first] = begin_s  # exactly, as the comparison above needs it
            times_s, now_s = np.concatenate([times_s, turn_s]), float(begin_s[-1])
        return np.sort(times_s)[:n_queries]

    def turn_times_s(self, session: IntArray, rng: np.random.Generator) -> FloatArray:
        """Return the times (n_queries,) of turns of these sessions (n_queries,), which are next to each other."""
        first = np.flatnonzero(np.diff(session, prepend=-1))
        begin_s = np.cumsum(rng.exponential(1 / self.rate_per_s, len(first)))
        elapsed_s = np.cumsum(rng.exponential(self.mean_gap_s, len(session)))
        return np.asarray(begin_s[session] + (elapsed_s - elapsed_s[first][session]))


def counts(mean: float, n: int, most: int, rng: np.random.Generator) -> IntArray:
    """Return geometric numbers (n,) on 1, 2, ... with this mean; what is above ``most``, and never arrives, is cut."""
    return np.minimum(rng.geometric(1 / mean, n), most)
