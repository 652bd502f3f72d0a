"""The budgeted assignment program, linear and binary, solved by HiGHS.

max sum_ij quality_ij x_ij   s.t.   sum_j cost_ij x_ij <= B_i,   sum_i x_ij <= 1,   x >= 0

Deployments that pay from one account have one row together, sum_{i in account} sum_j cost_ij x_ij <= B.
It is arithmetic on arrays, for policies on estimates and for bounds on the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from sim.assignment.rows import Capacity, rows
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
    prices : array (n_deployments,) or None
        Of the budgets, in quality per unit; None from a solver that finds none.
    """

    value: float
    plan: IntArray
    prices: FloatArray | None = None


@dataclass(frozen=True)
class Solution:
    """A solution of the linear program.

    Parameters
    ----------
    value : float
    share : array (n, n_deployments)
        Of each query, or of the queries of each kind, that goes to each deployment.
    prices : array (n_deployments,)
        Of the budgets that they pay from, in quality per unit; 0 without a budget and where it is not used up.
    capacity_prices : tuple of array (n_groups,)
        Of the further limits, likewise.
    """

    value: float
    share: FloatArray
    prices: FloatArray
    capacity_prices: tuple[FloatArray, ...]


def solve_linear(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    *,
    accounts: IntArray | None = None,
    counts: FloatArray | None = None,
    allowed: BoolArray | None = None,
    capacities: Sequence[Capacity] = (),
) -> Solution:
    """Solve the linear program by HiGHS.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
        ``inf`` for no budget; less than 0 counts as 0. Deployments that share an account have one amount together,
        which stands at each of them.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from, from 0; None where each has its own.
    counts : array (n,) or None
        How many queries there are of each kind; None for one. Equal queries may be one kind: the mean of an optimum
        over them is an optimum.
    allowed : array (n, n_deployments) or None
        Which deployments a query may be given to; None for all.
    capacities : sequence of Capacity
        Further limits.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    built = rows(cost, budgets, accounts=accounts, counts=counts, allowed=allowed, capacities=capacities)
    if len(built.query) == 0:
        nothing = tuple(np.zeros(len(capacity.limits)) for capacity in capacities)
        return Solution(0.0, np.zeros(quality.shape), np.zeros(len(budgets)), nothing)
    result = linprog(-quality[built.query, built.deployment], A_ub=built.matrix, b_ub=built.limits, method="highs")
    if result.x is None:
        raise RuntimeError(f"HiGHS did not solve the linear program: {result.message}")
    share = np.zeros(quality.shape)
    share[built.query, built.deployment] = result.x
    if counts is not None:
        share /= counts[:, None]
    marginals = np.maximum(-result.ineqlin.marginals, 0.0)
    limited = built.row_of_budget >= 0
    prices = np.where(limited, marginals[built.row_of_budget], 0.0) / built.unit
    sizes = np.array([len(capacity.limits) for capacity in capacities], dtype=np.int64)
    n_budgets = int(built.row_of_budget.max(initial=-1)) + 1
    of_capacities = tuple(np.split(marginals[n_budgets:], np.cumsum(sizes))[: len(sizes)])
    return Solution(-float(result.fun), share, prices, of_capacities)


def linear_program(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    allowed: BoolArray | None = None,
    *,
    accounts: IntArray | None = None,
) -> Bound:
    """Solve the linear program and give each query to argmax_i x_ij where that is positive; see ``solve_linear``.

    Notes
    -----
    A basic solution splits at most n_deployments queries, so the plan is at most that many worse. The published
    optima are made this way (arXiv 2509.02718, section 5).
    """
    solution = solve_linear(quality, cost, budgets, accounts=accounts, allowed=allowed)
    share = solution.share
    return Bound(solution.value, np.where(share.max(axis=1) > 0, share.argmax(axis=1), DECLINE))


def solve_binary(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    gap: float,
    time_limit_s: float | None = None,
    *,
    accounts: IntArray | None = None,
    capacities: Sequence[Capacity] = (),
) -> Bound:
    """Solve the program with every x_ij 0 or 1 by HiGHS's branch and cut.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
        ``inf`` for no budget; less than 0 counts as 0.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from; None where each has its own.
    capacities : sequence of Capacity
        Further limits.
    gap : float
        Relative, between the plan and the solver's own bound; it may stop there.
    time_limit_s : float or None
        It stops then with the best plan so far, which makes the plan depend on the machine; None for no limit.

    Returns
    -------
    Bound
        Its value is the solver's own bound: no plan is better.

    Raises
    ------
    RuntimeError
        If HiGHS finds no plan, or none in time.
    """
    built = rows(cost, budgets, accounts=accounts, capacities=capacities)
    options = {"mip_rel_gap": gap} | ({} if time_limit_s is None else {"time_limit": time_limit_s})
    result = milp(
        -quality.ravel(),
        constraints=LinearConstraint(built.matrix, ub=built.limits),
        integrality=np.ones(quality.size),
        bounds=Bounds(0, 1),
        options=options,
    )
    if result.x is None:
        in_time = "" if time_limit_s is None else f" in {time_limit_s:g} s"
        raise RuntimeError(f"HiGHS found no binary plan{in_time}: {result.message}")
    share = result.x.reshape(quality.shape)
    return Bound(-float(result.mip_dual_bound), np.where(share.max(axis=1) > 0.5, share.argmax(axis=1), DECLINE))


def binary_program(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    gap: float = 1e-4,
    time_limit_s: float = 600.0,
    *,
    accounts: IntArray | None = None,
) -> Bound:
    """Solve the binary program of a whole run as ``solve_binary`` does, if it is not too large.

    Raises
    ------
    ValueError
        If there are more than 200,000 pairs.
    """
    if quality.size > MAX_BINARY_PAIRS:
        raise ValueError(
            f"the binary program has {quality.size:,} pairs of query and deployment; it takes at most "
            f"{MAX_BINARY_PAIRS:,}, so leave out binary_optimum or simulate fewer queries"
        )
    return solve_binary(quality, cost, budgets, gap, time_limit_s, accounts=accounts)
