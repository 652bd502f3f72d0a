"""Gather queries and assign them together by a binary program."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from policies.parts.batch import check_batch, decisions, estimates
from sim.assignment.program import DECLINE, solve_binary
from sim.assignment.rows import pooled
from sim.interface import Decision, Estimator, Gate, Policy, Query, Setting, State


class BatchProgram(Policy):
    """Maximise the batch's estimated quality within all the estimated budget that is left.

    max sum_ij quality_hat_ij x_ij  s.t.  sum_j cost_hat_ij x_ij <= remaining_i,  sum_i x_ij <= 1,  x binary

    PORT's BatchSplit (arXiv 2509.02718, section 5), solved by HiGHS. As in the released code it paces nothing, keeps a
    ledger of estimates that is never reconciled with true costs, and declines the queries that the program leaves out.

    Parameters
    ----------
    estimator : Estimator
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

    def __init__(self, estimator: Estimator, size: int = 256, window_s: float = math.inf, gap: float = 1e-4) -> None:
        check_batch(size, window_s, gap)
        self.estimator = estimator
        self.gate = Gate(size, window_s)
        self._gap = gap

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Begin with the whole budgets."""
        self._remaining = setting.budgets.copy()
        self._accounts = setting.accounts

    def decide(self, query: Query, state: State) -> Decision:
        """Solve the program of one query."""
        return self.decide_batch([query], state)[0]

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Solve the program of the batch."""
        quality, cost = estimates(queries)
        plan = solve_binary(quality, cost, self._remaining, self._gap, accounts=self._accounts).plan
        served = np.flatnonzero(plan != DECLINE)
        spent = np.bincount(plan[served], weights=cost[served, plan[served]], minlength=len(self._remaining))
        self._remaining = self._remaining - pooled(spent, self._accounts)
        return decisions(plan)
