"""Queries per second through the world, over a bare SimPy loop that schedules one arrival and one completion a query.

python -m benchmarks.world [n_queries]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator

import numpy as np
import simpy

from policies.balancing.uniform_random import UniformRandom
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.deployment import Service
from sim.instance import realise, stream
from sim.interface import Estimates
from sim.scenario import BudgetRule, Scenario
from sim.world.services.slots import Instant, Slots
from sim.world.world import simulate


def bare_loop_s(times_s: list[float]) -> float:
    """Return the wall time of a loop that does nothing but schedule: a source process, completions by callback."""
    env = simpy.Environment()

    def complete(_: simpy.Event) -> None:
        pass

    def source() -> Generator[simpy.Event]:
        for gap in np.diff(times_s, prepend=0.0).tolist():
            yield env.timeout(gap)
            env.timeout(1.0).callbacks.append(complete)

    env.process(source())
    began = time.perf_counter()
    env.run()
    return time.perf_counter() - began


def world_s(n_queries: int, service: Service, budget: BudgetRule) -> tuple[float, list[float]]:
    """Return the wall time of the world with the policy ``random``, and the arrival times."""
    workload = synthetic(n_queries=n_queries, n_history=100)
    scenario = Scenario(workload, OnePerModel(service), budget, Poisson(rate_per_s=10), given)
    instance = realise(scenario, seed=0, replication=0)
    means = np.broadcast_to(np.zeros(instance.quality.shape[1]), instance.quality.shape)
    blank = Estimates(means, means)  # as a policy without an estimator sees one row of means
    began = time.perf_counter()
    simulate("random", UniformRandom(), instance, blank, stream(0, 0, "policy"))
    return time.perf_counter() - began, np.cumsum(instance.gaps_s).tolist()


def main(n_queries: int) -> None:
    """Print one line per service: the median ratio of five pairs."""
    cases: tuple[tuple[Service, BudgetRule], ...] = (
        (Instant(), Weighted()),  # the published budgets, of which two thirds of the queries find nothing left
        (Instant(), Unlimited()),
        (Slots(8, 0.5, 0.02), Unlimited()),
    )
    for service, budget in cases:
        ratios, rates = [], []
        for _ in range(5):
            took_s, times_s = world_s(n_queries, service, budget)
            ratios.append(bare_loop_s(times_s) / took_s)
            rates.append(n_queries / took_s)
        name = f"{type(service).__name__}, {type(budget).__name__.lower()} budgets"
        rate, ratio = np.median(rates), np.median(ratios)
        print(f"{name:27} {rate:10,.0f} queries/s   {ratio:.2f} of a bare SimPy loop")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
