"""A binary plan near the linear program's optimum, by rounding and exchanges, many times as fast as branch and cut.

It works on arrays alone.
"""

from __future__ import annotations

import numpy as np

from sim.assignment.program import DECLINE, Bound, solve_binary
from sim.assignment.rows import account_of
from sim.assignment.sifted import solve_sifted
from sim.interface import FloatArray, IntArray

ROUNDING = 1e-9  # of a budget, by which sums of costs may be above it; and of the best quality, a gain that is none


def solve_rounded(
    quality: FloatArray, cost: FloatArray, budgets: FloatArray, gap: float, *, accounts: IntArray | None = None
) -> Bound:
    """Solve the binary program to a relative gap, by HiGHS's branch and cut only where exchanges do not reach it.

    The linear program of the pairs that the whole budget could pay is an upper bound. Its solution, without the few
    queries that it splits, is a plan, and ``exchanged`` makes it better.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
        ``inf`` for no budget; less than 0 counts as 0.
    gap : float
        Relative, between the plan and a bound on all plans.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from; None where each has its own.

    Returns
    -------
    Bound
        No plan is better than its value.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    budgets = np.maximum(budgets, 0.0)
    worth = np.where(cost <= budgets * (1 + ROUNDING), quality, 0.0)
    linear = solve_sifted(worth, cost, budgets, accounts=accounts)
    share = linear.share
    whole = np.where(share.max(axis=1) > 1 - ROUNDING, share.argmax(axis=1), DECLINE)
    plan = exchanged(worth, cost, budgets, accounts, whole)
    served = np.flatnonzero(plan != DECLINE)
    if quality[served, plan[served]].sum() >= (1 - gap) * linear.value * (1 - ROUNDING):
        return Bound(linear.value, plan)
    return solve_binary(quality, cost, budgets, gap, accounts=accounts)


def exchanged(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    accounts: IntArray | None,
    plan: IntArray,
) -> IntArray:
    """Return a plan (n,) within the budgets that no exchange makes better.

    An exchange gives one query to a deployment, which may give up one of its own for it; that one goes where it is
    worth most of what has room left. The best is made first.
    """
    n, m = quality.shape
    rows = np.arange(n)
    worth, price = np.column_stack([quality, np.zeros(n)]), np.column_stack([cost, np.zeros(n)])  # the last: declining
    account, first = account_of(m, accounts)
    account, slack = np.append(account, len(first)), np.append(budgets[first] * (1 + ROUNDING), np.inf)
    at = np.where(plan == DECLINE, m, plan)
    room = slack - np.bincount(account[at], weights=price[rows, at], minlength=len(slack))
    least = ROUNDING * float(quality.max(initial=0.0))
    while True:
        own = worth[rows, at]
        other = np.where(price <= room[account], worth, -np.inf)
        other[rows, at] = -np.inf
        refuge = other.argmax(axis=1)
        loss = own - other[rows, refuge]
        joins = int(loss.argmin())
        best, leaves, to = -loss[joins], -1, int(refuge[joins])
        for place in range(m):
            members = np.flatnonzero(at == place)
            takers = np.flatnonzero((at != place) & (quality[:, place] > own))
            if len(members) == 0 or len(takers) == 0:
                continue
            gain = (worth[takers, place] - own[takers])[:, None] - loss[members]
            frees = room[account[place]] + price[members, place]
            gain[price[takers, place][:, None] > frees] = -np.inf
            highest = int(gain.argmax())
            if gain.flat[highest] > best:
                best, (taker, member) = gain.flat[highest], divmod(highest, len(members))
                joins, leaves, to = int(takers[taker]), int(members[member]), place
        if best <= least:
            return np.where(at == m, DECLINE, at)
        for query, goal in ((leaves, refuge[leaves]), (joins, to)):
            if query >= 0:
                room[account[at[query]]] += price[query, at[query]]
                room[account[goal]] -= price[query, goal]
                at[query] = goal
