"""The worth of one more dollar or slot over a run: dual prices of the hindsight program.

The price of a budget is the derivative of the optimum with respect to it; a budget that is not used up has price 0.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.assignment.certified import certified
from sim.assignment.program import solve_linear
from sim.assignment.rows import Capacity, pooled
from sim.instance import Instance
from sim.interface import FloatArray
from sim.traits import ServiceTraits

SECONDS_PER_HOUR = 3600.0


def beginnings_s(arrived_at_s: FloatArray, n_moments: int) -> FloatArray:
    """Return the beginnings (n_moments,) of equal stretches of time from the first arrival to the last."""
    return np.linspace(arrived_at_s[0], arrived_at_s[-1], n_moments, endpoint=False)


def budget_prices(
    requests: pd.DataFrame, instance: Instance, at_s: FloatArray, calls: pd.DataFrame | None = None
) -> FloatArray:
    """Return the price of each budget for the queries still to come, with what a run has left them.

    Parameters
    ----------
    requests : DataFrame
        A row per arrival of the run.
    instance : Instance
    at_s : array (n_moments,)
    calls : DataFrame or None
        A row per call of the run, where queries could take several: all of them are spent.

    Returns
    -------
    array (n_moments, n_deployments)
        Quality per unit of budget, USD or token. What a query takes counts as spent from its arrival on, as the ledger
        commits it. With all queries to come these are the prices of the hindsight optimum, for every policy.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    done = requests.assign(query=np.arange(len(requests))) if calls is None else calls
    paid = done[(done["fate"] == "served").to_numpy()]
    query, deployment = paid["query"].to_numpy(), paid["deployment"].cat.codes.to_numpy()
    quality, cost = instance.quality[instance.rows], instance.cost[instance.rows]
    budgets, accounts = instance.setting.budgets, instance.setting.accounts
    prices = []
    for come in np.searchsorted(requests["arrived_at_s"].to_numpy(), at_s).tolist():
        before = query < come
        weights = cost[query[before], deployment[before]]
        spent = np.bincount(deployment[before], weights=weights, minlength=len(budgets))
        left = np.maximum(budgets - pooled(spent, accounts), 0.0)
        prices.append(certified(quality[come:], cost[come:], left, accounts).prices)
    return np.maximum(prices, 0.0).reshape(len(at_s), len(budgets))


def service_s(instance: Instance, k: int) -> FloatArray | None:
    """Return how long each arrival holds a slot of deployment k (n_queries,); None where nobody can say beforehand.

    In a batch it depends on the others, a service without slots has none to hold, and an autoscaler, or whoever
    takes spot replicas away, decides how many there are.
    """
    deployment, tokens = instance.fleet[k], instance.output_tokens
    if not deployment.has_fixed_replicas:
        return None
    holds_s = ServiceTraits.of(deployment.service).holds_s
    return holds_s(None if tokens is None else tokens[instance.rows, k], instance.draws[k])


def slot_prices(instance: Instance, at_s: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Return the prices of budgets and of slots where the hindsight program has both.

    Besides keeping the budgets, the queries that arrive in window w hold the slots of a deployment no longer than these
    are there,

        sum_{j in w} seconds_ij x_ij <= slots_i length_w,

    so work may move within a window and not to the next.

    Parameters
    ----------
    instance : Instance
    at_s : array (n_windows,)
        The beginnings of the windows, from the first arrival on; the last ends with the last arrival.

    Returns
    -------
    array (n_deployments,), array (n_windows, n_deployments), or None
        Quality per unit of budget, and quality per hour of one more slot, NaN for a deployment that ``service_s`` says
        nothing of; None if that is all of them, if users in a closed loop decide when queries arrive, or if no time
        passes.

    Raises
    ------
    RuntimeError
        If HiGHS fails.
    """
    arrived_at_s = np.cumsum(instance.gaps_s)
    length_s = np.diff(at_s, append=arrived_at_s[-1])
    held = {k: seconds for k in range(len(instance.fleet)) if (seconds := service_s(instance, k)) is not None}
    if not held or instance.think_s is not None or not (length_s > 0).all():
        return None
    window = np.searchsorted(at_s, arrived_at_s, side="right") - 1
    solution = solve_linear(
        instance.quality[instance.rows],
        instance.cost[instance.rows],
        instance.setting.budgets,
        accounts=instance.setting.accounts,
        capacities=[Capacity(k, held[k], window, instance.fleet[k].total_slots * length_s) for k in held],
    )
    of_slot = np.full((len(at_s), len(instance.fleet)), np.nan)
    of_slot[:, list(held)] = np.transpose(solution.capacity_prices)
    return solution.prices, of_slot * SECONDS_PER_HOUR
