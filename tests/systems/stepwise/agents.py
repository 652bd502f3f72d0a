"""A small world of agents' tasks, in which a policy's success and its cost stand between those of two models."""

from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.agent_tasks import agent_tasks
from sim.instance import realise
from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.study.record.task_checks import check_tasks
from sim.workload import Rows, Workload
from sim.workload.tasks import TaskLimits
from sim.world.record import frame
from sim.world.record.tasks import task_frame
from sim.world.services.slots import Instant
from sim.world.world import simulate

N_TASKS = 80
ESTIMATES = EstimateCache()


class Outcome(NamedTuple):
    """Of all tasks of a run: the share that succeeded, what one cost in USD on average, and at most."""

    success: float
    cost_usd: float
    most_usd: float


@cache
def agents(separation: float = 0.696, has_prefix_price: bool = True) -> Workload:
    """80 tasks of about 15 steps; without a price of the prefix every deployment charges for all that has been said."""
    made = agent_tasks(n_queries=N_TASKS, n_history=80, dim=8, mean_steps=15, separation=separation)
    if has_prefix_price:
        return made
    return replace(made, history=in_full(made.history), test=in_full(made.test))


def in_full(rows: Rows) -> Rows:
    """Charge the same whoever answered the step before."""
    assert rows.steps is not None
    return replace(rows, steps=replace(rows.steps, cached_cost_usd=rows.cost_usd))


def outcome(policy: Policy, workload: Workload | None = None, cap_usd: float | None = None) -> Outcome:
    """Run a policy on all tasks, one after another."""
    limits = TaskLimits(budget_usd=cap_usd)
    described = Scenario(
        workload or agents(), OnePerModel(Instant()), Unlimited(), Deterministic(1e-3), given, task=limits
    )
    instance = realise(described, seed=0, replication=0)
    estimates = ESTIMATES.get(policy.estimator, instance)
    table = simulate("p", policy, instance, estimates, np.random.default_rng(0))
    assert table.tasks is not None
    requests = frame(table, instance)
    tasks = task_frame(table.tasks, requests, instance)
    check_tasks(requests, tasks)
    cost_usd = tasks["cost_usd"]
    return Outcome(float(tasks["quality"].mean()), float(cost_usd.mean()), float(cost_usd.max()))
