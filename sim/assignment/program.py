"""The budgeted assignment program, linear and binary, solved by HiGHS. It knows arrays, and not whose they are.

max sum_ij quality_ij x_ij   s.t.   sum_j cost_ij x_ij <= B_i,   sum_i x_ij <= 1,   x >= 0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, vstack

from sim.interface import BoolArray, FloatArray, IntArray

DECLINE = -1
MAX_BINARY_PAIRS = 200_000


@dataclass(frozen=True)
class Bound:
    """A solved program.

    Parameters
    ----------
    value : float
        At least the program's. On the truth no plan and no policy within the budgets has more quality; on estimates it
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
    used, placed = constraints(cost, query, deployment)
    is_limited = np.isfinite(budgets)
    result = linprog(
        -quality[query, deployment],
        A_ub=vstack([used[is_limited], placed]).tocsr(),
        b_ub=np.concatenate([budgets[is_limited], np.ones(n)]),
        method="highs",
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS did not solve the linear program: {result.message}")
    share = np.zeros(quality.shape)
    share[query, deployment] = result.x
    return Bound(-float(result.fun), np.where(share.max(axis=1) > 0, share.argmax(axis=1), DECLINE))


def binary_program(
    quality: FloatArray, cost: FloatArray, budgets: FloatArray, gap: float = 1e-4, time_limit_s: float = 600.0
) -> Bound:
    """Solve the program with every x_ij 0 or 1 by HiGHS's branch and cut.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
        ``inf`` for no budget.
    gap : float
        Relative, between the plan and the solver's own bound; it may stop there.
    time_limit_s : float
        It stops then with the best plan so far, which makes the plan depend on the machine.

    Returns
    -------
    Bound
        Its value is the solver's own bound: no plan is better.

    Raises
    ------
    ValueError
        If there are more than 200,000 pairs.
    RuntimeError
        If HiGHS finds no plan in time.
    """
    if quality.size > MAX_BINARY_PAIRS:
        raise ValueError(
            f"the binary program has {quality.size:,} pairs of query and deployment; it takes at most "
            f"{MAX_BINARY_PAIRS:,}, so leave out binary_optimum or simulate fewer queries"
        )
    n, n_deployments = quality.shape
    query, deployment = np.divmod(np.arange(quality.size), n_deployments)
    mean = cost.mean(axis=0)
    unit = np.where(mean > 0, mean, 1.0)  # HiGHS lets a budget be exceeded by 1e-6: of a mean query's cost, then
    used, placed = constraints(cost / unit, query, deployment)
    result = milp(
        -quality.ravel(),
        constraints=[LinearConstraint(used, ub=budgets / unit), LinearConstraint(placed, ub=np.ones(n))],
        integrality=np.ones(quality.size),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": gap, "time_limit": time_limit_s},
    )
    if result.x is None:
        raise RuntimeError(f"HiGHS found no binary plan in {time_limit_s:g} s: {result.message}")
    share = result.x.reshape(quality.shape)
    return Bound(-float(result.mip_dual_bound), np.where(share.max(axis=1) > 0.5, share.argmax(axis=1), DECLINE))


def constraints(cost: FloatArray, query: IntArray, deployment: IntArray) -> tuple[csr_array, csr_array]:
    """Return what each pair costs of each budget (n_deployments, n_pairs), and whose it is (n, n_pairs)."""
    n, n_deployments = cost.shape
    pair = np.arange(len(query))
    used = coo_array((cost[query, deployment], (deployment, pair)), shape=(n_deployments, len(pair)))
    placed = coo_array((np.ones(len(pair)), (query, pair)), shape=(n, len(pair)))
    return used.tocsr(), placed.tocsr()
