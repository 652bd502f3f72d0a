"""Hindsight optima: the best assignment when every query is known. They need the truth, hence are no policies.

max sum_ij quality_ij x_ij   s.t.   sum_j cost_ij x_ij <= B_i,   sum_i x_ij <= 1,   x >= 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

from sim.interface import BoolArray, Decision, FloatArray, IntArray, Policy, Query, State

DECLINE = -1


@dataclass(frozen=True)
class Bound:
    """A solved program.

    Parameters
    ----------
    value : float
        Of the linear program. On the truth no plan and no policy within the budgets has more quality; on estimates it
        bounds nothing.
    plan : array (n,)
        Deployment of each query, ``DECLINE`` for none.
    """

    value: float
    plan: IntArray


def linear_program(
    quality: FloatArray, cost: FloatArray, budgets: FloatArray, allowed: BoolArray | None = None
) -> Bound:
    """Solve the linear program by HiGHS and give each query to argmax_i x_ij where that is positive.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
        ``inf`` for no budget.
    allowed : array (n, n_deployments) or None
        Which deployments a query may be given to; None for all.

    Raises
    ------
    RuntimeError
        If HiGHS fails.

    Notes
    -----
    A basic solution splits at most n_deployments queries, so the plan is at most that many worse. The published
    optima are made this way (arXiv 2509.02718, section 5).
    """
    n, n_deployments = quality.shape
    pair = np.arange(quality.size) if allowed is None else np.flatnonzero(allowed)  # (j, i) is j * n_deployments + i
    query, deployment = np.divmod(pair, n_deployments)
    variable = np.arange(len(pair))
    spent = coo_array((cost.ravel()[pair], (deployment, variable)), shape=(n_deployments, len(pair)))
    placed = coo_array((np.ones(len(pair)), (query, variable)), shape=(n, len(pair)))
    is_limited = np.isfinite(budgets)
    result = linprog(
        -quality.ravel()[pair],
        A_ub=vstack([spent.tocsr()[is_limited], placed]).tocsr(),
        b_ub=np.concatenate([budgets[is_limited], np.ones(n)]),
        method="highs",
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS did not solve the linear program: {result.message}")
    share = np.zeros(quality.shape)
    share[query, deployment] = result.x
    return Bound(-float(result.fun), np.where(share.max(axis=1) > 0, share.argmax(axis=1), DECLINE))


class Replay(Policy):
    """Carry out a plan, so that a hindsight optimum goes through the same world as every policy.

    Parameters
    ----------
    plan : array (n_queries,)
        Deployment of each arrival, ``DECLINE`` for none.
    """

    def __init__(self, plan: IntArray) -> None:
        self._plan = plan.tolist()

    def decide(self, query: Query, state: State) -> Decision:
        """Look it up."""
        planned = self._plan[query.id]
        return Decision(None if planned == DECLINE else planned)
