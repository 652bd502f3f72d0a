"""Gather queries and assign them together by a binary program."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from sim.errors import check_number
from sim.interface import Decision, Estimator, FloatArray, Gate, Policy, Query, Setting, State


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

    def decide(self, query: Query, state: State) -> Decision:
        """Solve the program of one query."""
        return self.decide_batch([query], state)[0]

    def decide_batch(self, queries: Sequence[Query], state: State) -> list[Decision]:
        """Solve the program of the batch."""
        quality = np.array([query.quality_hat for query in queries])
        cost = np.array([query.cost_hat for query in queries])
        taken = assign(quality, cost, self._remaining, self._gap)
        self._remaining = self._remaining - (cost * taken).sum(axis=0)
        return [Decision(int(row.argmax()) if row.any() else None) for row in taken]


def check_batch(size: int, window_s: float, gap: float) -> None:
    """Raise ValueError for a batch size, waiting time or gap that cannot be."""
    if size < 1:
        raise ValueError(f"size is {size}; a batch needs at least 1 query")
    if not window_s > 0:
        raise ValueError(f"window_s is {window_s}; it must be positive")
    check_number("gap", gap, least=0, below=1)


def assign(quality: FloatArray, cost: FloatArray, budgets: FloatArray, gap: float) -> FloatArray:
    """Return the 0-1 assignment (n, n_deployments) of greatest quality within the budgets.

    Raises
    ------
    RuntimeError
        If HiGHS finds none.
    """
    n, n_deployments = quality.shape
    dearest = cost.max(axis=0)
    scale = np.where(dearest > 0, dearest, 1.0)  # HiGHS lets a row be exceeded by 1e-6, absolute
    variable = np.arange(quality.size)  # of (query j, deployment i): j * n_deployments + i
    spent = coo_array(
        ((cost / scale).ravel(), (variable % n_deployments, variable)), shape=(n_deployments, quality.size)
    )
    placed = coo_array((np.ones(quality.size), (variable // n_deployments, variable)), shape=(n, quality.size))
    result = milp(
        -quality.ravel(),
        integrality=np.ones(quality.size),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(spent, ub=np.maximum(budgets, 0) / scale), LinearConstraint(placed, ub=1)],
        options={"mip_rel_gap": gap},
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS did not solve the batch program: {result.message}")
    solution: FloatArray = np.rint(result.x).reshape(quality.shape)
    return solution
