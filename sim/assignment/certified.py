"""The hindsight optimum of any size, from its prices: certified bounds and a plan. It works on arrays alone.

The dual F(p) of ``sim.assignment.prices`` at any prices is an upper bound on the linear program; a feasible solution
is a lower one. The prices that were tried on the way say what queries choose; those whose choice is clear are fixed,
and a small program assigns the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.assignment.prices import Minimum, chunks, minimum
from sim.assignment.program import DECLINE, Bound, linear_program
from sim.assignment.rows import account_of, pooled
from sim.interface import BoolArray, FloatArray, IntArray

GAP = 1e-4
SHARE_OF_GAP = 0.03  # the prices' part: nearer prices leave fewer queries to the small program
FEW = 200
GOLDEN = (5**0.5 - 1) / 2  # the fractional parts of its multiples: any stretch of them is spread evenly over [0, 1)


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
    found = minimum(quality, cost, budgets, GAP * SHARE_OF_GAP, accounts=accounts)
    prices, upper = found.prices, found.value
    chosen = choices(quality, cost, found)
    room = 1.0
    while room * FEW < len(quality):
        is_open, margin = least_clear(quality, cost, budgets, accounts, found, chosen, room)
        whole = complete(quality, cost, budgets, accounts, prices, chosen, is_open, margin)
        if upper - whole.value <= GAP * upper:
            return Certified(upper, min(whole.value, upper), prices, Bound(upper, whole.plan, prices))  # rounding
        room *= 2  # no more: the small program takes longer than in proportion
    whole = linear_program(quality, cost, budgets, accounts=accounts)  # exact, whatever the prices
    exact = min(whole.value, upper)
    return Certified(exact, exact, prices, Bound(exact, whole.plan, prices))


@dataclass(frozen=True)
class Choices:
    """What queries choose, all together within the budgets but for rounding.

    Parameters
    ----------
    deployment : array (n,)
        ``DECLINE`` for none.
    surplus : array (n,)
        Of the choice, at the prices of the minimum; 0 for none.
    clearness : array (n,)
        By how much the choice beats the best other there, declining included; less than 0 if it does not.
    """

    deployment: IntArray
    surplus: FloatArray
    clearness: FloatArray


def choices(quality: FloatArray, cost: FloatArray, found: Minimum) -> Choices:
    """Let each query choose at one of the prices that were tried, so many of them at each as its share says.

    Where many queries have several best choices at the prices of the minimum, as where budgets are ample, their shares
    tell how many of them go where.
    """
    n = len(quality)
    deployment, best, clearness = np.empty(n, dtype=np.int64), np.empty(n), np.empty(n)
    at = np.searchsorted(found.shares.cumsum()[:-1], np.arange(n) * GOLDEN % 1.0, side="right")
    for part in chunks(n):
        costs = cost[part]
        tried = quality[part] - costs * found.tried[at[part]]
        rows, first = np.arange(len(tried)), tried.argmax(axis=1)
        buys = tried[rows, first] > 0
        surplus = quality[part] - costs * found.prices
        own = np.where(buys, surplus[rows, first], 0.0)
        surplus[rows[buys], first[buys]] = 0.0  # declining is the best other unless another is better
        deployment[part] = np.where(buys, first, DECLINE)
        best[part] = own
        clearness[part] = own - surplus.max(axis=1)
    return Choices(deployment, best, clearness)


def least_clear(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    accounts: IntArray | None,
    found: Minimum,
    chosen: Choices,
    room: float,
) -> tuple[BoolArray, float]:
    """Return which queries to leave open (n,), and how much surplus one of them may have to give up.

    They are those of the smallest clearness, and for each budget that does not come out even the buyers (or, if money
    is left that has a price, the others) who would give up least, ``room`` times as much as would even it out.
    """
    n, negligible = len(quality), GAP * SHARE_OF_GAP * found.value
    # What every query could give up: such losses are alike, else rounding, and not the row, would order those of 0.
    alike = negligible / n or 1.0

    def least_first(loss: FloatArray) -> IntArray:
        # Stable, as many are alike: a partition takes other ones of these on another processor.
        return np.argsort(np.floor(loss / alike), kind="stable")

    is_open = np.zeros(n, dtype=np.bool_)
    is_open[least_first(chosen.clearness)[: int(room * (FEW + 20 * len(budgets)))]] = True
    margin = float(chosen.clearness[is_open].max())
    account, first = account_of(len(budgets), accounts)
    for number in np.flatnonzero(np.isfinite(budgets[first])):
        members, price = np.flatnonzero(account == number), found.prices[first[number]]
        buys = np.isin(chosen.deployment, members)
        paid = cost[buys, chosen.deployment[buys]].sum()
        excess = paid - budgets[first[number]]
        if excess <= 0 and price * -excess <= negligible:
            continue
        movable = np.flatnonzero(buys if excess > 0 else ~buys)
        surplus = quality[:, members] - cost[:, members] * price
        best = members[surplus.argmax(axis=1)]  # where a query would buy
        loss = chosen.clearness if excess > 0 else chosen.surplus - surplus.max(axis=1)
        order = movable[least_first(loss[movable])]
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
