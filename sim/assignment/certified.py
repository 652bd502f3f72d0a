"""The hindsight optimum of any size, from its prices: certified bounds and a plan. It works on arrays alone.

The dual F(p) of ``sim.assignment.prices`` at any prices is an upper bound on the linear program; a feasible solution
is a lower one. Queries whose best choice is clear at the prices are fixed, and a small program assigns the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.assignment.prices import chunks, minimise
from sim.assignment.program import DECLINE, Bound, linear_program
from sim.assignment.rows import account_of, pooled
from sim.interface import BoolArray, FloatArray, IntArray

GAP = 1e-4
SHARE_OF_GAP = 0.03  # the prices' part: nearer prices leave fewer queries to the small program
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
    prices, upper = minimise(quality, cost, budgets, GAP * SHARE_OF_GAP, accounts=accounts)
    chosen = choices(quality, cost, prices)
    room = 1.0
    while room * FEW < len(quality):
        is_open, margin = least_clear(quality, cost, budgets, accounts, prices, chosen, room)
        found = complete(quality, cost, budgets, accounts, prices, chosen, is_open, margin)
        if upper - found.value <= GAP * upper:
            return Certified(upper, min(found.value, upper), prices, Bound(upper, found.plan, prices))  # rounding
        room *= 2  # no more: the small program takes longer than in proportion
    found = linear_program(quality, cost, budgets, accounts=accounts)  # exact, whatever the prices
    exact = min(found.value, upper)
    return Certified(exact, exact, prices, Bound(exact, found.plan, prices))


@dataclass(frozen=True)
class Choices:
    """What queries choose at prices.

    Parameters
    ----------
    deployment : array (n,)
        The best, ``DECLINE`` for none.
    surplus : array (n,)
        Of the best; 0 for none.
    clearness : array (n,)
        By how much the best beats the second best, declining included.
    """

    deployment: IntArray
    surplus: FloatArray
    clearness: FloatArray


def choices(quality: FloatArray, cost: FloatArray, prices: FloatArray) -> Choices:
    """Return what queries choose."""
    n = len(quality)
    deployment, best, clearness = np.empty(n, dtype=np.int64), np.empty(n), np.empty(n)
    for part in chunks(n):
        surplus = quality[part] - cost[part] * prices
        rows, first = np.arange(len(surplus)), surplus.argmax(axis=1)
        highest = surplus[rows, first]
        surplus[rows, first] = 0.0  # declining is the second best unless another is better
        deployment[part] = np.where(highest > 0, first, DECLINE)
        best[part] = np.maximum(highest, 0.0)
        clearness[part] = np.where(highest > 0, highest - surplus.max(axis=1), -highest)
    return Choices(deployment, best, clearness)


def least_clear(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    accounts: IntArray | None,
    prices: FloatArray,
    chosen: Choices,
    room: float,
) -> tuple[BoolArray, float]:
    """Return which queries to leave open (n,), and how much surplus one of them may have to give up.

    They are those of the smallest clearness, and for each budget that does not come out even the buyers (or, if money
    is left, the others) who would give up least, ``room`` times as much as would even it out.
    """
    is_open = np.zeros(len(quality), dtype=np.bool_)
    n_least = min(len(quality), int(room * (FEW + 20 * len(budgets))))
    # Stable, as many are alike: a partition takes other ones of these on another processor.
    is_open[np.argsort(chosen.clearness, kind="stable")[:n_least]] = True
    margin = float(chosen.clearness[is_open].max())
    account, first = account_of(len(budgets), accounts)
    for number in np.flatnonzero(np.isfinite(budgets[first])):
        members, price = np.flatnonzero(account == number), prices[first[number]]
        buys = np.isin(chosen.deployment, members)
        paid = cost[buys, chosen.deployment[buys]].sum()
        excess = paid - budgets[first[number]]
        if excess <= 0 and price == 0:
            continue
        movable = np.flatnonzero(buys if excess > 0 else ~buys)
        surplus = quality[:, members] - cost[:, members] * price
        best = members[surplus.argmax(axis=1)]  # where a query would buy
        loss = chosen.clearness if excess > 0 else chosen.surplus - surplus.max(axis=1)
        order = movable[np.argsort(loss[movable], kind="stable")]
        at = chosen.deployment if excess > 0 else best
        n_even = 1 + int(np.searchsorted(np.cumsum(cost[order, at[order]]), 2 * room * abs(excess)))
        is_open[order[:n_even]] = True
        margin = max(margin, float(loss[order[:n_even]].max(initial=0.0)))
    return is_open, margin


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
