"""Prompts that begin alike, in blocks of ten tokens, and deployments whose times can be added up by hand.

A token of a prompt takes 0.1 s, and the answer, one token, 1 s. So a prompt of three blocks is answered after 4 s, and
after 2 s where two of its blocks are held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Balancer, Deployment, Service
from sim.instance import Instance, realise
from sim.interface import Decision, Policy, Query, State
from sim.scenario import Scenario
from sim.study.fleet import fleet_table
from sim.study.oracles import EstimateCache
from sim.study.record.checks import check
from sim.workload import Rows, Workload
from sim.workload.prefixes import Prefixes
from sim.world.record import frame
from sim.world.record.calls import call_frame
from sim.world.services.batching import Batching
from sim.world.world import simulate
from tests.scripted import At

SERVICE = Batching(slots=4, iteration_base_s=1.0, iteration_per_sequence_s=0.0, prefill_per_token_s=0.1)
INF = float("inf")


@dataclass
class First(Policy):
    """Sends everything to the first deployment."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(0)


def deployment(
    name: str = "a",
    service: Service = SERVICE,
    room: float | None = INF,
    replicas: int = 1,
    balancer: Balancer | None = None,
    prices: tuple[float, float, float] | None = None,
    **others: Any,
) -> Deployment:
    """A deployment of model m; prices are of input, output and cached input, in USD per million tokens."""
    if prices is not None:
        of = ("input", "output", "cached_input")
        others |= {f"price_{name}_usd_per_million": price for name, price in zip(of, prices, strict=True)}
    return Deployment(
        name,
        "m",
        service,
        replicas=replicas,
        balancer=balancer,
        prefix_cache_tokens=room,
        **others,
    )


def rows(blocks: Sequence[Sequence[int]], sessions: Sequence[int] | None = None) -> Rows:
    """A query for each list of blocks, whose prompt has just these."""
    n = len(blocks)
    return Rows(
        embeddings=np.ones((n, 2), dtype=np.float32),
        input_tokens=np.array([10 * len(row) for row in blocks]),
        quality=np.ones((n, 1)),
        cost_usd=np.ones((n, 1)),
        output_tokens=np.ones((n, 1), dtype=np.int64),
        prefix=Prefixes.of(blocks, block_tokens=10),
        session=None if sessions is None else np.array(sessions),
    )


def scenario(
    blocks: Sequence[Sequence[int]],
    times_s: Sequence[float],
    *fleet: Deployment,
    sessions: Sequence[int] | None = None,
    **others: Any,
) -> Scenario:
    """Queries with these blocks at these times, in this order."""
    test = rows(blocks, sessions)
    settings: dict[str, Any] = {"budget": Unlimited(), "arrivals": At(tuple(times_s))} | others
    return Scenario(Workload(("m",), test, test), Listed(fleet or (deployment(),)), order=given, **settings)


def run(scenario: Scenario, policy: Policy | None = None) -> pd.DataFrame:
    """The request table, checked."""
    instance: Instance = realise(scenario, 0, 0)
    estimates = EstimateCache().get(None, instance)
    table = simulate("tested", policy or First(), instance, estimates, np.random.default_rng(0))
    requests = frame(table, instance)
    check(requests, fleet_table(instance), None if table.calls is None else call_frame(table.calls, instance))
    return requests
