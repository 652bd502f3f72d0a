"""Measures a router against single models, chance and an oracle on the same queries: LLMRouterBench's metrics.

LLMRouterBench (Li et al. 2026, arXiv 2601.07206) names Gain@Random, Gain@BestSingle, Gap@Oracle, CostSave and
ParetoDist. Its README has them in words; whether gains are relative or points of accuracy it does not say, nor how the
distance is scaled. Gains and the gap are relative here, and the distance is as in ``pareto_distance``.

Each deployment alone (``Alone``) gets every arrival of the window at its own price. Quality is over all arrivals, those
not served counting as 0; cost is what queries took from budgets, without rent.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.interface import BoolArray, FloatArray
from sim.study.metrics.counting import Alone, numbers, ratio

ROUNDING = 1e-12  # by so much two means may differ and be one


def gain_at_random(requests: pd.DataFrame, alone: Alone) -> float:
    """Return quality / mean quality of the deployments - 1: over a router that draws uniformly, in expectation."""
    quality, _ = of_deployments(requests, alone)
    return ratio(mean_quality(requests), float(quality.mean())) - 1


def gain_at_best_single(requests: pd.DataFrame, alone: Alone) -> float:
    """Return quality / quality of the best single deployment - 1."""
    quality, _ = of_deployments(requests, alone)
    return ratio(mean_quality(requests), float(quality.max())) - 1


def gap_at_oracle(requests: pd.DataFrame, alone: Alone) -> float:
    """Return 1 - quality / quality of an oracle that sends each query to the deployment that is best on it."""
    best = alone.quality[numbers(requests, "id").astype(np.int64)].max(axis=1)
    return 1 - ratio(mean_quality(requests), float(best.mean()))


def cost_saved(requests: pd.DataFrame, alone: Alone) -> float:
    """Return 1 - cost / cost of the best single deployment; NaN where quality is below that one's.

    LLMRouterBench's CostSave is the largest of a router's settings. Of equally good deployments the cheapest counts.
    """
    quality, cost = of_deployments(requests, alone)
    best = np.lexsort((cost, -quality))[0]
    if mean_quality(requests) < quality[best] - ROUNDING:
        return float("nan")
    return 1 - ratio(mean_cost(requests), float(cost[best]))


def pareto_distance(requests: pd.DataFrame, alone: Alone) -> float:
    """Return how far a run is from the Pareto front of the single deployments; 0 where none of them dominates it.

    The Euclidean distance to the nearest deployment on the front, with quality and cost in units of their ranges over
    the deployments (of 1 where a range is 0). LLMRouterBench averages it over the settings of a router.
    """
    quality, cost = of_deployments(requests, alone)
    mine = np.array([mean_quality(requests)]), np.array([mean_cost(requests)])
    if not dominated(*mine, quality, cost)[0]:
        return 0.0
    front = ~dominated(quality, cost, quality, cost)
    units = [span if span > 0 else 1.0 for span in (np.ptp(quality), np.ptp(cost))]
    away = np.hypot((quality[front] - mine[0]) / units[0], (cost[front] - mine[1]) / units[1])
    return float(away.min())


def dominated(quality: FloatArray, cost: FloatArray, by_quality: FloatArray, by_cost: FloatArray) -> BoolArray:
    """Return which points (n,) another one of (m,) dominates: at least as good and as cheap, and better in one of them.

    >>> dominated(np.array([0.5, 0.5]), np.array([1.0, 3.0]), np.array([0.5]), np.array([2.0])).tolist()
    [False, True]
    """
    better, cheaper = by_quality - quality[:, None], cost[:, None] - by_cost
    as_good = (better >= -ROUNDING) & (cheaper >= -ROUNDING)
    result: BoolArray = np.logical_or.reduce(as_good & ((better > ROUNDING) | (cheaper > ROUNDING)), axis=1)
    return result


def of_deployments(requests: pd.DataFrame, alone: Alone) -> tuple[FloatArray, FloatArray]:
    """Return mean quality and cost in USD of each deployment alone (n_deployments,) over the arrivals of the window."""
    asked = numbers(requests, "id").astype(np.int64)
    return alone.quality[asked].mean(axis=0), alone.cost_usd[asked].mean(axis=0)


def mean_quality(requests: pd.DataFrame) -> float:
    """Return quality per arrival."""
    return float(numbers(requests, "quality").mean())


def mean_cost(requests: pd.DataFrame) -> float:
    """Return what queries took from budgets per arrival, in USD."""
    return float(numbers(requests, "cost_usd").mean())
