"""How far rounding alone moves PORT's published price: its estimates on ZeroEval, perturbed in the tenth digit.

    python -m benchmarks.port_price [folder of the tables, ../shared/data by default]

The exploring draws are the same in every run, so all that differs is where L-BFGS-B stops. ``compare roundings=100``
shows the same range for any policy.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from policies.budgeted.port import Port
from policies.budgeted.sampled_dual import SampledDual
from policies.estimators.neighbours import HnswNeighbours
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.table import table
from sim.instance import realise, stream
from sim.interface import Estimates, Policy
from sim.scenario import Scenario
from sim.study.metrics import totals
from sim.study.oracles import EstimateCache
from sim.study.rounding import RELATIVE_NOISE
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate

RUNS = 100


def main(folder: Path) -> None:
    """Print the spread of total quality for the published price and for the exact one."""
    workload = table(str(folder / "zeroeval.parquet"), str(folder / "zeroeval_embeddings.npy"))
    scenario = Scenario(workload, OnePerModel(Instant()), Weighted(), Poisson(10), given)
    instance = realise(scenario, seed=0, replication=0)
    estimator = HnswNeighbours()
    exact = EstimateCache().get(estimator, instance)
    rng = np.random.default_rng(0)
    noisy = [
        Estimates(*(part * (1 + RELATIVE_NOISE * rng.standard_normal(part.shape)) for part in exact))
        for _ in range(RUNS)
    ]
    policies: dict[str, Policy] = {"port": Port(estimator), "port_exact": SampledDual(estimator)}
    for name, policy in policies.items():
        tables = [simulate(name, policy, instance, estimates, stream(0, 0, "policy")) for estimates in noisy]
        quality = [totals(frame(table, instance))["quality"] for table in tables]
        low, mean, high = np.min(quality), np.mean(quality), np.max(quality)
        print(f"{name:11} total quality over {RUNS} roundings: {low:.0f} to {high:.0f}, mean {mean:.0f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("../shared/data"))
