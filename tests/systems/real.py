"""The real routing tables without budgets, in the order given: what published figures of static routers are of."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from scenarios.arrivals import Deterministic
from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.table import table
from sim.interface import Policy
from sim.scenario import Scenario
from sim.study.experiment import compare
from sim.world.services.slots import Instant

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

needs_data = pytest.mark.skipif(
    not (DATA / "zeroeval.parquet").exists(), reason="the real routing tables are not at ../shared/data"
)


@cache
def unlimited(name: str, n_queries: int | None = None) -> Scenario:
    """A real table or its first test rows, one instant deployment per model, no budgets, one arrival a second."""
    embeddings = str(DATA / f"{name}_embeddings.npy")
    workload = table(str(DATA / f"{name}.parquet"), embeddings=embeddings, n_queries=n_queries)
    return Scenario(workload, OnePerModel(Instant()), Unlimited(), Deterministic(1.0), given)


def means(scenario: Scenario, policies: Mapping[str, Policy]) -> dict[str, tuple[float, float]]:
    """Return mean quality and mean cost in USD of an arrival under each policy."""
    summary = compare(scenario, policies).set_index("policy")
    return {
        name: (float(quality), float(cost))
        for name, quality, cost in zip(
            summary.index,
            summary["quality"] / summary["arrived"],
            summary["total_cost_usd"] / summary["arrived"],
            strict=True,
        )
    }
