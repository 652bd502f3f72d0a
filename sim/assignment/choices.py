"""What queries choose at prices, and which of them must choose again for the budgets to come out even.

It works on arrays alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.assignment.prices import Minimum, chunks
from sim.assignment.program import DECLINE
from sim.assignment.rows import account_of
from sim.interface import BoolArray, FloatArray, IntArray

NEGLIGIBLE = 3e-6  # of what all queries gain
GOLDEN = (5**0.5 - 1) / 2  # the fractional parts of its multiples: any stretch of them is spread evenly over [0, 1)


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
    prices: FloatArray,
    negligible: float,
    chosen: Choices,
    n_least: int,
    room: float,
    counts: FloatArray | None = None,
) -> tuple[BoolArray, float]:
    """Return which queries to leave open (n,), and how much surplus one of them may have to give up.

    They are the ``n_least`` of the smallest clearness, and for each budget that does not come out even the buyers (or,
    if money is left that has a price, the others) who would give up least, ``room`` times as much as would even it out.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from; None where each has its own.
    prices : array (n_deployments,)
    negligible : float
        What all queries together may give up: losses that come to less are alike.
    chosen : Choices
    n_least : int
    room : float
    counts : array (n,) or None
        How many queries there are of each kind; None for one.
    """
    n = len(quality)
    alike = negligible / n
    many = np.ones(n) if counts is None else counts

    def least_first(loss: FloatArray) -> IntArray:
        # Stable, as many are alike: a partition takes other ones of these on another processor.
        # Else rounding, and not the row, would order losses of 0.
        return np.argsort(np.floor(loss / alike) if alike else loss, kind="stable")

    is_open = np.zeros(n, dtype=np.bool_)
    is_open[least_first(chosen.clearness)[:n_least]] = True
    margin = float(chosen.clearness[is_open].max())
    account, first = account_of(len(budgets), accounts)
    for number in np.flatnonzero(np.isfinite(budgets[first])):
        members, price = np.flatnonzero(account == number), prices[first[number]]
        buys = np.isin(chosen.deployment, members)
        paid = (many[buys] * cost[buys, chosen.deployment[buys]]).sum()
        excess = paid - max(budgets[first[number]], 0.0)
        if excess <= 0 and price * -excess <= negligible:
            continue
        movable = np.flatnonzero(buys if excess > 0 else ~buys)
        surplus = quality[:, members] - cost[:, members] * price
        best = members[surplus.argmax(axis=1)]  # where a query would buy
        loss = chosen.clearness if excess > 0 else chosen.surplus - surplus.max(axis=1)
        order = movable[least_first(loss[movable])]
        at = chosen.deployment if excess > 0 else best
        paid_by = np.cumsum(many[order] * cost[order, at[order]])
        n_even = 1 + int(np.searchsorted(paid_by, 2 * room * abs(excess)))
        is_open[order[:n_even]] = True
        margin = max(margin, float(loss[order[:n_even]].max(initial=0.0)))
    return is_open, margin
