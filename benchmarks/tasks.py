"""Steps of tasks per minute through the world, and the time of a step over that of a query that stands for itself.

python -m benchmarks.tasks [n_tasks]
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from policies.balancing.uniform_random import UniformRandom
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.agent_tasks import agent_tasks
from sim.instance import realise, stream
from sim.interface import Estimates
from sim.scenario import Scenario
from sim.workload import Workload
from sim.world.services.slots import Slots
from sim.world.world import simulate

PAIRS = 3
LEAST_PER_MINUTE = 100_000


def took_s(workload: Workload) -> tuple[float, int]:
    """Return the processor time of a run, and how many queries arrived."""
    scenario = Scenario(workload, OnePerModel(Slots(64, 0.5, 0.02)), Unlimited(), Poisson(rate_per_s=1), given)
    instance = realise(scenario, seed=0, replication=0)
    blank = Estimates(np.zeros_like(instance.quality), np.zeros_like(instance.cost))
    began = time.process_time()
    table = simulate("random", UniformRandom(), instance, blank, stream(0, 0, "policy"))
    return time.process_time() - began, len(table.row)


def main(n_tasks: int) -> None:
    """Print the medians of three pairs."""
    tasks = agent_tasks(n_queries=n_tasks, n_history=20)
    alone = replace(tasks, history=replace(tasks.history, steps=None), test=replace(tasks.test, steps=None))
    per_minute, ratios = [], []
    for _ in range(PAIRS):
        (steps_s, n_steps), (alone_s, n_alone) = took_s(tasks), took_s(alone)
        per_minute.append(60 * n_steps / steps_s)
        ratios.append((steps_s / n_steps) / (alone_s / n_alone))
    print(f"{n_steps:,} steps: {np.median(per_minute):,.0f} a minute (at least {LEAST_PER_MINUTE:,})")
    print(f"a step takes {np.median(ratios):.2f} times as long as a query that stands for itself")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2500)
