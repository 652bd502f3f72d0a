"""Batching and slots through the world over a bare SimPy loop, and over Ciw on the same M/M/10.

python -m benchmarks.serving [n_queries]
"""

from __future__ import annotations

import sys
import time

import ciw
import numpy as np

from benchmarks.world import bare_loop_s, world_s
from scenarios.budgets import Unlimited
from sim.distributions import Exponential
from sim.study.theory.conditions import System
from sim.study.theory.laboratory import customers
from sim.world.services.batching import Batching

PAIRS = 3


def ciw_s(n_customers: int) -> float:
    """Return the wall time of Ciw on M/M/10 at load 0.8."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(8.0)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[10],
    )
    ciw.seed(0)
    simulation = ciw.Simulation(network)
    began = time.perf_counter()
    simulation.simulate_until_max_customers(n_customers)
    return time.perf_counter() - began


def main(n_queries: int) -> None:
    """Print a line per batch size, then one for Ciw."""
    # 10 queries a second over eleven deployments, about 105 output tokens each: slower iterations, larger batches.
    for iteration_base_s, n in ((0.01, n_queries), (0.15, n_queries), (2.4, n_queries), (0.15, 10 * n_queries)):
        service = Batching(slots=256, iteration_base_s=iteration_base_s, iteration_per_sequence_s=1e-4)
        ratios, rates = [], []
        for _ in range(PAIRS):
            took_s, times_s = world_s(n, service, Unlimited())
            ratios.append(bare_loop_s(times_s) / took_s)
            rates.append(n / took_s)
        rate, ratio = np.median(rates), np.median(ratios)
        batch = 10 / 11 * 105 * iteration_base_s  # by Little's law, H b being small
        print(f"Batching, b about {batch:3.0f}, {n:9,} queries {rate:9,.0f}/s   {ratio:.2f} of a bare SimPy loop")

    n_customers = 100_000
    ratios = []
    for _ in range(PAIRS):
        theirs_s = ciw_s(n_customers)
        began = time.perf_counter()
        customers(System("M/M/10", Exponential(1 / 8), Exponential(1.0), 10), n_customers, seed=0)
        ratios.append(theirs_s / (time.perf_counter() - began))
    print(f"M/M/10, {n_customers:,} customers: {np.median(ratios):.1f} times as fast as Ciw")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
