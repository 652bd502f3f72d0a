"""The hindsight optimum of any size, from its prices: certified bounds and a plan. It works on arrays alone.

The dual F(p) of ``sim.assignment.prices`` at any prices is an upper bound on the linear program; a feasible solution
is a lower one. The prices that were tried on the way say what queries choose; those whose choice is clear are fixed,
and a small program assigns the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.assignment.choices import NEGLIGIBLE, Choices, choices, least_clear
from sim.assignment.prices import minimum
from sim.assignment.program import DECLINE, Bound, linear_program
from sim.assignment.rows import pooled
from sim.interface import BoolArray, FloatArray, IntArray

GAP = 1e-4
FEW = 200


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
    # Nearer than the gap: nearer prices leave fewer queries to the small program.
    found = minimum(quality, cost, budgets, NEGLIGIBLE, accounts=accounts)
    prices, upper = found.prices, found.value
    chosen = choices(quality, cost, found)
    room = 1.0
    while room * FEW < len(quality):
        n_least = int(room * (FEW + 20 * len(budgets)))
        is_open, margin = least_clear(quality, cost, budgets, accounts, prices, upper, chosen, n_least, room)
        whole = complete(quality, cost, budgets, accounts, prices, chosen, is_open, margin)
        if upper - whole.value <= GAP * upper:
            return Certified(upper, min(whole.value, upper), prices, Bound(upper, whole.plan, prices))  # rounding
        room *= 2  # no more: the small program takes longer than in proportion
    whole = linear_program(quality, cost, budgets, accounts=accounts)  # exact, whatever the prices
    exact = min(whole.value, upper)
    return Certified(exact, exact, prices, Bound(exact, whole.plan, prices))


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
