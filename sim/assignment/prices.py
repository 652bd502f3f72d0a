"""Prices of budgets from the dual of the budgeted assignment program, for any number of queries.

max sum_ij quality_ij x_ij   s.t.   sum_j cost_ij x_ij <= B_i,   sum_i x_ij <= 1,   x >= 0

has one price p_i per budget in its dual (deployments that pay from one account have one price),

    F(p) = p . B + sum_j max(0, max_i (quality_ij - p_i cost_ij)),   p >= 0,

convex and piecewise linear in few variables. F at any p is at least the program's value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from sim.assignment.rows import account_of
from sim.interface import FloatArray, IntArray

MAX_CUTS = 1000
ROWS = 2048  # looked at together: their surplus fits the cache, twice as fast as all at once
FEW = 20_000  # of whose qualities per cost the median is taken
NOTHING = 1e-12  # of a mean query's cost: the price of a budget that pays for less is not looked for
MASTER_VALUE = 1e4  # F at the centre in the master program, because HiGHS's tolerances are absolute


@dataclass(frozen=True)
class Minimum:
    """Prices near the minimum of F, and of which choices a solution near the program's is made.

    Parameters
    ----------
    prices : array (n_deployments,)
        Quality per unit of budget.
    value : float
        F there.
    tried : array (n_tried, n_deployments)
        Prices that were looked at.
    shares : array (n_tried,)
        They add up to 1. If each query does as it would at ``tried[k]`` to the share ``shares[k]``, all stay within the
        budgets and what they gain is as near to ``value`` as was asked: Dantzig and Wolfe's solution, the dual of
        Kelley's. It needs prices ``beyond`` those at which nobody buys.
    """

    prices: FloatArray
    value: float
    tried: FloatArray
    shares: FloatArray


def minimise(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    gap: float = 1e-5,
    *,
    accounts: IntArray | None = None,
) -> tuple[FloatArray, float]:
    """Return prices near the minimum of F (n_deployments,), and F there; see ``minimum``."""
    found = minimum(quality, cost, budgets, gap, accounts=accounts)
    return found.prices, found.value


def minimum(
    quality: FloatArray,
    cost: FloatArray,
    budgets: FloatArray,
    gap: float = 1e-5,
    *,
    accounts: IntArray | None = None,
    beyond: float = 1.0,
) -> Minimum:
    """Look for the minimum of F.

    Kelley's cutting planes, the next point the minimum of the cuts in a box around the best point so far.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
        Costs of at least 0.
    budgets : array (n_deployments,)
        ``inf`` for no budget, whose price is 0. The price of a budget of 0 is so high that nobody pays it.
    accounts : array (n_deployments,) or None
        Number of the account that each deployment pays from; None where each has its own.
    gap : float
        How far F may be above its minimum, relative to F.
    beyond : float
        How many times the prices at which nobody buys prices may be. Shares are a solution only if it is above 1: then
        the slope of F ends the search everywhere, and not this bound.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    account, first = account_of(len(budgets), accounts)
    mean = np.bincount(account, weights=cost.mean(axis=0)) / np.bincount(account)
    unit = np.where(mean > 0, mean, 1.0)  # prices are per mean cost here, hence alike
    refused = np.zeros(len(first))
    np.maximum.at(refused, account, prohibitive(quality, cost))
    is_limited = np.isfinite(budgets[first])
    highest = np.where(is_limited, unit * refused, 0.0)
    spendable = np.where(is_limited, budgets[first], 0.0) / unit
    lowest = np.where(is_limited & (spendable <= NOTHING), highest, 0.0)
    highest = np.where(lowest < highest, beyond * highest, highest)
    few = slice(None, None, max(1, len(quality) // FEW))
    centre, radius = lowest, typical(quality[few], cost[few] / unit[account])

    def value_and_slope(prices: FloatArray) -> tuple[float, FloatArray]:
        surplus, used = sold(quality, cost, (prices / unit)[account])
        spent = np.bincount(account, weights=used)
        return product(prices, spendable) + surplus, spendable - spent / unit

    best, slope = value_and_slope(centre)
    slopes, offsets, tried, shares = [slope], [best - product(slope, centre)], [centre], np.ones(1)
    if np.array_equal(lowest, highest):
        return Minimum((centre / unit)[account], best, (np.array(tried) / unit)[:, account], shares)
    rounding = 1e-13 * best
    for _ in range(MAX_CUTS):
        low, high = np.maximum(lowest, centre - radius), np.minimum(highest, centre + radius)
        scale = MASTER_VALUE / max(best, 1e8 * rounding) if best > 0 else 1.0
        master = linprog(
            np.append(np.zeros(len(first)), 1.0),
            A_ub=np.column_stack([np.array(slopes) * scale, -np.ones(len(slopes))]),
            b_ub=-np.array(offsets) * scale,
            bounds=np.column_stack([np.append(low, -np.inf), np.append(high, np.inf)]),
            method="highs",
        )
        if master.x is None:
            raise RuntimeError(f"HiGHS did not solve the master program: {master.message}")
        shares = np.maximum(-master.ineqlin.marginals, 0.0)
        prices = np.clip(master.x[:-1], low, high)
        promised = best - master.fun / scale
        at_edge = bool((((prices <= low) & (low > lowest)) | ((prices >= high) & (high < highest))).any())
        if promised <= max(gap * best, rounding):
            if not at_edge:
                break  # the cuts' minimum, so nothing is below best - promised
            radius *= 2
        value, slope = value_and_slope(prices)
        slopes.append(slope)
        offsets.append(value - product(slope, prices))
        tried.append(prices)
        if best - value >= 0.1 * promised:
            centre, best = prices, value
            radius *= 1.25 if at_edge else 1
        elif at_edge:
            radius *= 0.6
    used = np.flatnonzero(shares > NOTHING)
    return Minimum(
        (centre / unit)[account], best, (np.array(tried)[used] / unit)[:, account], shares[used] / shares[used].sum()
    )


def product(one: FloatArray, other: FloatArray) -> float:
    """Return the inner product, added in one order: BLAS adds as the processor likes, and ties hang on the last bit."""
    return float(np.add.reduce(one * other))


def chunks(n: int) -> Iterator[slice]:
    """Yield slices of ``ROWS`` rows."""
    return (slice(first, min(first + ROWS, n)) for first in range(0, n, ROWS))


def typical(quality: FloatArray, cost: FloatArray) -> float:
    """Return the median quality per cost of what is not free."""
    density = quality / np.where(cost > 0, cost, np.inf)
    return float(np.median(density[density > 0])) if (density > 0).any() else 1.0


def prohibitive(quality: FloatArray, cost: FloatArray) -> FloatArray:
    """Return prices (n_deployments,) at which nobody buys what is not free."""
    highest = np.zeros(cost.shape[1])
    for part in chunks(len(cost)):
        density = quality[part] / np.where(cost[part] > 0, cost[part], np.inf)
        np.maximum(highest, density.max(axis=0), out=highest)
    return highest * (1 + 1e-12)  # else rounding may leave a surplus


def sold(quality: FloatArray, cost: FloatArray, prices: FloatArray) -> tuple[float, FloatArray]:
    """Return the queries' surplus at these prices, and what they cost of each budget (n_deployments,)."""
    total, used, rows = 0.0, np.zeros(len(prices)), np.arange(ROWS)
    for part in chunks(len(quality)):
        costs = cost[part]
        surplus = quality[part] - costs * prices
        choice = surplus.argmax(axis=1)
        best = surplus[rows[: len(choice)], choice]
        buys = best > 0
        total += float(best[buys].sum())
        used += np.bincount(choice, weights=costs[rows[: len(choice)], choice] * buys, minlength=len(prices))
    return total, used
