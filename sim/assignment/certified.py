"""The hindsight optimum of any size, from its prices: certified bounds and a plan. It works on arrays alone.

The dual F(p) of ``sim.assignment.prices`` at any prices is an upper bound on the linear program; a feasible solution
is a lower one. The prices that were tried on the way say what queries choose; those whose choice is clear are fixed,
and a small program assigns the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sim.assignment.choices import NEGLIGIBLE, Choices, choices, least_clear
from sim.assignment.prices import Minimum, minimum
from sim.assignment.program import DECLINE, Bound, linear_program
from sim.assignment.rows import pooled
from sim.interface import BoolArray, FloatArray, IntArray

GAP = 1e-4
FEW = 200
MOST = 10  # times what is open at least: with more the small program takes seconds
SMALL = 50_000  # pairs, of which the whole program is no matter


@dataclass(frozen=True)
class Certified:
    """A hindsight optimum between two bounds.

    Parameters
    ----------
    upper, lower : float
        No solution of the program is above ``upper``; one of value ``lower`` is known.
    prices : array (n_deployments,)
        Quality per unit of budget; 0 where a budget does not bind.
    bound : Bound
        Its value is ``upper``, its plan as ``linear_program`` makes it, its prices these.
    """

    upper: float
    lower: float
    prices: FloatArray
    bound: Bound


def certified(
    quality: FloatArray, cost: FloatArray, budgets: FloatArray, accounts: IntArray | None = None
) -> Certified:
    """Bound the program from both sides to a relative gap of 1e-4.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
        ``inf`` for no budget.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from; None where each has its own.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    program = quality, cost, budgets, accounts
    # Nearer than the gap: nearer prices leave fewer queries to the small program.
    found = minimum(quality, cost, budgets, NEGLIGIBLE, accounts=accounts)
    best = replace(found, tried=found.prices[None, :], shares=np.ones(1))
    certificate = evened_out(*program, best, 0.0)
    if certificate is None and quality.size > SMALL:
        shared = minimum(quality, cost, budgets, NEGLIGIBLE, accounts=accounts, beyond=2.0)
        certificate = evened_out(*program, shared, NEGLIGIBLE)
    if certificate is None:
        whole = linear_program(quality, cost, budgets, accounts=accounts)  # exact, whatever the prices
        exact = min(whole.value, found.value)
        certificate = Certified(exact, exact, found.prices, Bound(exact, whole.plan, found.prices))
    return certificate


def evened_out(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    accounts: IntArray | None,
    found: Minimum,
    negligible: float,
) -> Certified | None:
    """Let queries choose and a small program even out what they spend; None if it would be large.

    Where nearly every query has one best choice, that at the prices of the minimum will do. Where budgets are ample,
    most have several, and the shares of the prices tried tell how many of them go where.
    """
    prices, upper = found.prices, found.value
    chosen = choices(quality, cost, found)
    n_least = FEW + 20 * len(budgets)
    room = 1
    while room * FEW < len(quality):
        evening = budgets, accounts, prices, negligible * upper, chosen, room * n_least, room
        is_open, margin = least_clear(quality, cost, *evening)
        if is_open.sum() > MOST * n_least:
            return None
        whole = complete(quality, cost, budgets, accounts, prices, chosen, is_open, margin)
        if upper - whole.value <= GAP * upper:
            return Certified(upper, min(whole.value, upper), prices, Bound(upper, whole.plan, prices))  # rounding
        room *= 2  # no more: the small program takes longer than in proportion
    return None


def complete(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    accounts: IntArray | None,
    prices: FloatArray,
    chosen: Choices,
    is_open: BoolArray,
    margin: float,
) -> Bound:
    """Keep the choices of all but the open queries, who may give up at most ``margin`` of surplus."""
    fixed = np.flatnonzero(~is_open & (chosen.deployment != DECLINE))
    kept = chosen.deployment[fixed]
    left = budgets - pooled(np.bincount(kept, weights=cost[fixed, kept], minlength=len(budgets)), accounts)
    surplus = quality[is_open] - cost[is_open] * prices
    near = surplus >= chosen.surplus[is_open, np.newaxis] - margin
    rest = linear_program(quality[is_open], cost[is_open], np.maximum(left, 0.0), near, accounts=accounts)
    plan = chosen.deployment.copy()
    plan[is_open] = rest.plan
    return Bound(float(quality[fixed, kept].sum()) + rest.value, plan)
