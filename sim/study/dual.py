"""The hindsight optimum of any size by its prices: certified bounds and a plan. It needs the truth, and no world.

The linear program of ``sim.study.bounds`` has one price p_i per budget in its dual,

    F(p) = p . B + sum_j max(0, max_i (quality_ij - p_i cost_ij)),   p >= 0,

convex and piecewise linear in few variables. F at any p is an upper bound on the program; a feasible solution is a
lower one. Kelley's cutting planes with a box around the best point find p; queries whose best choice is clear at p are
fixed, and a small program assigns the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from sim.interface import BoolArray, FloatArray
from sim.study.bounds import DECLINE, Bound, linear_program

GAP = 1e-4
SHARE_OF_GAP = 0.1  # the cutting planes stop here, so that rounding has room
MAX_CUTS = 1000
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
        Its value is ``upper``, its plan as ``linear_program`` makes it.
    """

    upper: float
    lower: float
    prices: FloatArray
    bound: Bound


def certified(quality: FloatArray, cost: FloatArray, budgets: FloatArray) -> Certified:
    """Bound the program from both sides to a relative gap of 1e-4.

    Parameters
    ----------
    quality, cost : arrays (n, n_deployments)
    budgets : array (n_deployments,)
        ``inf`` for no budget.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    prices, upper = minimise(quality, cost, budgets)
    surplus = quality - prices * cost
    ranked = np.sort(np.column_stack([surplus, np.zeros(len(quality))]), axis=1)
    clearness = ranked[:, -1] - ranked[:, -2]  # by how much the best choice, declining included, beats the second
    order = np.argsort(clearness, kind="stable")
    n_open = FEW + 20 * len(budgets)
    while True:
        is_open = np.zeros(len(quality), dtype=np.bool_)
        is_open[order[:n_open]] = True
        found = complete(quality, cost, budgets, surplus, is_open)
        if found is not None and upper - found.value <= GAP * max(upper, 1e-300):
            return Certified(upper, found.value, prices, Bound(upper, found.plan))
        if n_open >= len(quality):  # the whole program: exact, whatever the prices
            found = found or linear_program(quality, cost, budgets)
            return Certified(min(upper, found.value), found.value, prices, found)
        n_open *= 4


def minimise(quality: FloatArray, cost: FloatArray, budgets: FloatArray) -> tuple[FloatArray, float]:
    """Return prices (n_deployments,) near the minimum of F, and F there."""
    mean = cost.mean(axis=0)
    scale = np.where(mean > 0, mean, 1.0)
    cost, limited = cost / scale, np.isfinite(budgets)
    budgets = np.where(limited, budgets / scale, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        density = np.where(cost > 0, quality / cost, 0.0)
    highest = np.where(limited, density.max(axis=0), 0.0)  # above this price nobody buys
    radius = max(float(np.median(density)), 1e-6)
    rows = np.arange(len(quality))

    def value_and_slope(prices: FloatArray) -> tuple[float, FloatArray]:
        surplus = quality - cost * prices
        choice = surplus.argmax(axis=1)
        best = surplus[rows, choice]
        buys = best > 0
        used = np.bincount(choice[buys], weights=cost[rows[buys], choice[buys]], minlength=len(budgets))
        return float(prices @ budgets + best[buys].sum()), budgets - used

    centre = np.zeros(len(budgets))
    best, slope = value_and_slope(centre)
    slopes, offsets = [slope], [best]
    for _ in range(MAX_CUTS):
        low, high = np.maximum(0.0, centre - radius), np.minimum(highest, centre + radius)
        master = linprog(
            np.append(np.zeros(len(budgets)), 1.0),
            A_ub=np.column_stack([slopes, -np.ones(len(slopes))]),
            b_ub=-np.array(offsets),
            bounds=[*zip(low, high, strict=True), (None, None)],
            method="highs",
        )
        if master.x is None:
            raise RuntimeError(f"HiGHS did not solve the master program: {master.message}")
        prices = master.x[:-1]
        promised = best - master.fun
        at_edge = ((prices <= low) & (low > 0)) | ((prices >= high) & (high < highest))
        if promised <= GAP * SHARE_OF_GAP * max(best, 1e-300):
            if not at_edge.any():
                break  # the cuts' minimum, so nothing is below best - promised
            radius *= 4
        value, slope = value_and_slope(prices)
        slopes.append(slope)
        offsets.append(value - float(slope @ prices))
        if best - value >= 0.1 * promised:
            centre, best = prices, value
            radius *= 2 if at_edge.any() else 1
        elif at_edge.any():
            radius *= 0.7
    return centre / scale, best


def complete(
    quality: FloatArray, cost: FloatArray, budgets: FloatArray, surplus: FloatArray, is_open: BoolArray
) -> Bound | None:
    """Fix all but the open queries at their best choices and assign those; None if the former cost too much."""
    choice = np.where(surplus.max(axis=1) > 0, surplus.argmax(axis=1), DECLINE)
    fixed = np.flatnonzero(~is_open & (choice != DECLINE))
    spent = np.bincount(choice[fixed], weights=cost[fixed, choice[fixed]], minlength=len(budgets))
    left = budgets - spent
    if (left < 0).any():
        return None
    plan = choice.copy()
    value = float(quality[fixed, choice[fixed]].sum())
    if is_open.any():
        rest = linear_program(quality[is_open], cost[is_open], left)
        plan[is_open] = rest.plan
        value += rest.value
    return Bound(value, plan)
