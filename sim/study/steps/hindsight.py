"""What would have been best for each query of a run, had everything been known: a plan, its quality and its prices."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.assignment.program import DECLINE, binary_program, solve_linear
from sim.instance import Instance
from sim.interface import Estimates, FloatArray, IntArray
from sim.study.fleet import unbounded
from sim.study.oracles import OPTIMUM, BoundCache

MOST_EXACT = 2_000  # pairs of query and deployment; of more, the linear program's plan stands for the whole one's


@dataclass(frozen=True)
class Hindsight:
    """The best plan within the budgets, on true quality and cost.

    It sends each query once and whole, and knows no clock: queues, outages and slots cost it nothing.

    Parameters
    ----------
    plan : array (n_queries,)
        Deployment of each arrival, ``DECLINE`` for none.
    quality, cost_usd : float
        Of the plan.
    prices : array (n_deployments,)
        Quality that one more unit of each budget would bring, where queries may be split: the dual of the linear
        program. 0 without a budget, and where it is not used up.
    is_exact : bool
        Whether no plan is better; else at most as many queries as deployments are worse off than they could be.
    """

    plan: IntArray
    quality: float
    cost_usd: float
    prices: FloatArray
    is_exact: bool


def hindsight(instance: Instance) -> Hindsight | str:
    """Return the best plan of an instance, or in words why there is none."""
    why_not = unbounded(instance.scenario)
    if why_not is not None:
        return why_not
    rows, budgets, accounts = instance.rows, instance.setting.budgets, instance.setting.accounts
    quality, cost, cost_usd = instance.quality[rows], instance.cost[rows], instance.cost_usd[rows]
    is_exact = True
    if not np.isfinite(budgets).any():
        plan, prices = cheapest_of_best(quality, cost), np.zeros(len(budgets))
    elif quality.size <= MOST_EXACT:
        plan = binary_program(quality, cost, budgets, gap=0.0, accounts=accounts).plan
        prices = solve_linear(quality, cost, budgets, accounts=accounts).prices
    else:
        bound = BoundCache().get(OPTIMUM, instance, Estimates(instance.quality, instance.cost))
        assert bound.prices is not None  # a linear program has some
        plan, prices, is_exact = bound.plan, bound.prices, False
    taken = np.flatnonzero(plan != DECLINE)
    spent = cost_usd[taken, plan[taken]]
    return Hindsight(plan, math.fsum(quality[taken, plan[taken]]), math.fsum(spent), prices, is_exact)


def cheapest_of_best(quality: FloatArray, cost: FloatArray) -> IntArray:
    """Return for each query the cheapest of the deployments that are best (n,), the first of equals."""
    is_best = quality == quality.max(axis=1, keepdims=True)
    return np.asarray(np.where(is_best, cost, np.inf).argmin(axis=1))
