"""How long a plan for replicas takes at 100,000 queries a candidate, and at as many a replication.

python -m benchmarks.plan
"""

from __future__ import annotations

import os
import time

from policies.balancing.least_loaded import LeastLoaded
from scenarios.arrivals import Poisson
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import shuffled
from scenarios.workloads.synthetic import synthetic
from sim.distributions import Exponential
from sim.scenario import Scenario
from sim.study.metrics.latency import latency_percentile_s
from sim.study.metrics.shares import quality_per_query
from sim.study.plan.candidates import Judge, Trials
from sim.study.plan.line import Replicas
from sim.study.plan.planner import plan
from sim.study.plan.targets import read_targets
from sim.study.sequential import Effort
from sim.study.side_by_side import OneByOne
from sim.world.services.timed import Timed

REPLICATIONS = 5


def p95_latency_s(requests: object) -> float:
    """Return the 95th percentile of latency."""
    return latency_percentile_s(requests, percent=95)  # type: ignore[arg-type]


METRICS = {"p95_latency_s": p95_latency_s, "quality_per_query": quality_per_query}


def measure(n_queries: int) -> None:
    """Print the time of one plan with so many queries in each replication, its workload included."""
    began_s, processor_s = time.perf_counter(), time.process_time()
    scenario = Scenario(
        workload=synthetic(n_queries=n_queries, n_history=2000, n_models=4, dim=16, seed=0),
        fleet=OnePerModel(Timed(4, Exponential(1.0))),
        budget=Unlimited(),
        arrivals=Poisson(100.0),
        order=shuffled,
    )
    targets = read_targets(["p95_latency_s<=3.5", "quality_per_query>=0.5"], list(METRICS))
    effort = Effort(REPLICATIONS, 8 * REPLICATIONS)
    judge = Judge(Trials("least_loaded", LeastLoaded(), targets, METRICS), effort, OneByOne())
    found = plan(scenario, Replicas(1, 32), judge)
    took_s, used_s = time.perf_counter() - began_s, time.process_time() - processor_s
    runs = sum(one.replications for one in judge.tried.values())
    print(
        f"{n_queries:,} queries x {runs} runs of {len(judge.tried)} candidates: {took_s:.1f} s, "
        f"{used_s:.1f} s of a processor, {runs * n_queries / took_s:,.0f} queries/s; load {os.getloadavg()[0]:.1f}"
    )
    print(f"  {found.sentence}")


if __name__ == "__main__":
    for queries in (100_000 // REPLICATIONS, 100_000):
        measure(queries)
