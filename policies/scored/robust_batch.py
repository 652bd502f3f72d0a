"""Gather queries and assign them together: the best quality that can be relied on, within cost and free places."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from policies.parts.batch import check_batch, decisions, estimates
from sim.assignment.program import solve_binary
from sim.assignment.rows import Capacity
from sim.errors import check_number
from sim.interface import Decision, Estimator, Gate, Policy, Query, Setting, State


class RobustBatch(Policy):
    """Maximise the batch's estimated quality within a mean cost and the places that are free.

        max sum_ij quality_hat_ij x_ij  s.t.  sum_ij cost_hat_ij x_ij <= cost_per_query x n,
            sum_j x_ij <= places_i,  at most one deployment for each query,  x binary

    Batch-level routing under cost and concurrency (arXiv 2603.26796, of which the abstract and notes were at hand). It
    is robust if quality_hat is a lower confidence bound, as of ``policies.estimators.bootstrap``, and its plain form
    otherwise. Places are the slots of a deployment less what is queued and in flight there when the batch is decided.
    With ``cost_per_query`` null, each budget gets its share for the batch instead, remaining x n / queries left, as in
    ``PacedBatch``. *Inferred*: queries that the program leaves out are declined; a deployment that is not available has
    no place. The paper's allocation of instances beforehand is a question for ``switchyard plan``.

    Parameters
    ----------
    estimator : Estimator
    cost_per_query : float or None
        Most that a query of the batch may cost on average by estimate, in the budgets' unit; null for paced budgets.
    size : int
        Queries in a batch.
    window_s : float
        The longest that the first query of a batch waits for the others.
    gap : float
        Relative gap at which HiGHS may stop.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    paces = True

    def __init__(
        self,
        estimator: Estimator,
        cost_per_query: float | None = None,
        size: int = 100,
        window_s: float = math.inf,
        gap: float = 0.01,
    ) -> None:
        check_number("cost_per_query", cost_per_query, above=0, null="for paced budgets")
        check_batch(size, window_s, gap)
        self.estimator = estimator
        self.gate = Gate(size, window_s)
        self._cost_per_query = cost_per_query
        self._gap = gap

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Expect the whole horizon."""
        self._left = setting.horizon
        self._accounts = setting.accounts
        self._slots = np.array([info.slots for info in setting.fleet])

    def decide(self, query: Query, state: State) -> Decision:
        """Solve the program of one query."""
        return self.decide_batch([query], state)[0]

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Solve the program of the batch."""
        n = len(queries)
        quality, cost = estimates(queries)
        share = n / max(self._left, n)  # tasks may bring more queries than are expected
        budgets, accounts = state.remaining * share, self._accounts
        if self._cost_per_query is not None:  # one amount for all of them together
            budgets, accounts = np.full(len(budgets), self._cost_per_query * n), np.zeros(len(budgets), dtype=np.int64)
        self._left -= n
        places = np.where(state.available, np.maximum(self._slots - state.queued - state.in_flight, 0.0), 0.0)
        if not state.available.any():  # the world says what becomes of a query in an outage of all
            places = self._slots
        limits = [
            Capacity(k, np.ones(n), np.zeros(n, dtype=np.int64), np.array([place]))
            for k, place in enumerate(places.tolist())
            if place < n
        ]
        plan = solve_binary(quality, cost, budgets, self._gap, accounts=accounts, capacities=limits).plan
        return decisions(plan)
