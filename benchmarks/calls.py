"""A cascade of two calls for every query, over two runs of a policy that asks once: what looking at answers costs.

python -m benchmarks.calls [n_queries]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.deployment import Service
from sim.instance import Instance, realise, stream
from sim.interface import Answer, Combine, Decision, Estimates, Keep, Policy, Query, State
from sim.scenario import Scenario
from sim.world.services.slots import Instant, Slots
from sim.world.world import simulate

PAIRS = 5
MOST = 1.3


class Once(Policy):
    """Asks the first deployment."""

    def decide(self, query: Query, state: State) -> Decision:
        """Ask it."""
        return Decision(0)


class Twice(Once):
    """Asks the first deployment and then the second, and keeps what that says."""

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        """Ask again, once."""
        return Keep(1) if len(answers) == 2 else Decision(1)


def took_s(policy: Policy, instance: Instance) -> float:
    """Return the processor time of one run."""
    blank = Estimates(np.zeros_like(instance.quality), np.zeros_like(instance.cost))
    began = time.process_time()
    simulate("benchmark", policy, instance, blank, stream(0, 0, "policy"))
    return time.process_time() - began


def main(n_queries: int) -> None:
    """Print one line per service: the median ratio of five turns, and what it must be."""
    workload = synthetic(n_queries=n_queries, n_history=100)
    services: tuple[Service, ...] = (Instant(), Slots(8, 0.5, 0.02))
    for service in services:
        scenario = Scenario(workload, OnePerModel(service), Unlimited(), Poisson(rate_per_s=1), given)
        instance = realise(scenario, seed=0, replication=0)
        ratios = []
        for _ in range(PAIRS):
            single_s = took_s(Once(), instance) + took_s(Once(), instance)
            ratios.append(took_s(Twice(), instance) / single_s)
        print(f"{type(service).__name__:8} {np.median(ratios):.2f} of two single-call runs (at most {MOST})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
