"""Gather queries and assign them together, each batch with its share of what is left."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from policies.parts.batch import check_batch, decisions, estimates
from sim.assignment.rounded import solve_rounded
from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Gate, Policy, Query, Setting, State


class PacedBatch(Policy):
    """Maximise the batch's estimated quality within the batch's share of the budgets that are left.

        max sum_ij q_ij x_ij  s.t.  sum_j cost_hat_ij x_ij <= remaining_i x batch / left,  sum_i x_ij <= 1,  x binary
        q_ij = max(0, quality_hat_ij - confidence x sqrt(quality_hat_ij (1 - quality_hat_ij) / neighbours))

    ``BatchProgram`` with three things mended: ``left`` counts the queries still to come, this batch's among them, so a
    budget lasts to the end; ``remaining`` is what the deployments have truly left when the batch is decided (costs
    still in flight are not yet in it), so errors of the estimates are made good; and what a batch leaves unspent is
    shared by all later ones.

    With a ``confidence`` above 0, the lower confidence bound of batch-level routing (arXiv 2603.26796, of which only
    the abstract was at hand): the standard error is that of a mean of ``neighbours`` right or wrong answers, since
    estimators say nothing of their error. A mean of 0 or 1 gets no discount. The order of the deployments for one query
    stays as it was; which queries get the scarce ones changes.

    *No theorem* is claimed. *Condition* for pacing to be right: queries to come are like those of the batch, as in a
    random order.

    Parameters
    ----------
    estimator : Estimator
    size : int
        Queries in a batch.
    window_s : float
        The longest that the first query of a batch waits for the others.
    gap : float
        How far the plan of a batch may be from a bound on all plans, relative to it. Exchanges nearly always reach
        0.02; where they do not, HiGHS's branch and cut does. What a batch leaves of its share is shared by later ones,
        so a narrower gap gains little.
    confidence : float
        Standard errors to take off, at least 0.
    neighbours : int
        How many answers an estimate is the mean of.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """

    paces = True

    def __init__(
        self,
        estimator: Estimator,
        size: int = 256,
        window_s: float = math.inf,
        gap: float = 0.02,
        confidence: float = 0.0,
        neighbours: int = 5,
    ) -> None:
        check_batch(size, window_s, gap)
        check_number("confidence", confidence, least=0)
        if neighbours < 1:
            raise ValueError(f"neighbours is {neighbours}; an estimate is the mean of at least 1")
        self.estimator = estimator
        self.gate = Gate(size, window_s)
        self._gap = gap
        self._confidence = confidence
        self._neighbours = neighbours

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        """Expect the whole horizon."""
        self._left = setting.horizon
        self._accounts = setting.accounts

    def decide(self, query: Query, state: State) -> Decision:
        """Solve the program of one query."""
        return self.decide_batch([query], state)[0]

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Solve the program of the batch."""
        quality, cost = estimates(queries)
        budgets = state.remaining * (len(queries) / max(self._left, len(queries)))
        self._left -= len(queries)
        plan = solve_rounded(self._lower(quality), cost, budgets, self._gap, accounts=self._accounts).plan
        return decisions(plan)

    def _lower(self, quality: FloatArray) -> FloatArray:
        """Return the lower confidence bound of estimated quality (n, n_deployments)."""
        if not self._confidence:
            return quality
        share = np.clip(quality, 0.0, 1.0)  # regressions may leave [0, 1]
        bound: FloatArray = np.maximum(
            0.0, quality - self._confidence * np.sqrt(share * (1 - share) / self._neighbours)
        )
        return bound
