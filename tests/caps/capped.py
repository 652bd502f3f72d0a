"""A world of two models whose answers may be cut, small enough to check by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Deployment, Service
from sim.instance import Instance, realise
from sim.interface import Policy
from sim.scenario import BudgetRule, Scenario
from sim.study.fleet import fleet_table
from sim.study.oracles import EstimateCache
from sim.study.record.checks import check
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.record.calls import call_frame
from sim.world.services.slots import Instant
from sim.world.world import simulate
from tests.scripted import At

CAPS = (20, 60)
AT_CAPS = ((0.1, 0.3), (0.4, 0.6))  # score of a and of b at 20 and at 60 output tokens
QUALITY = (0.8, 1.0)
COST_USD = (1.1, 2.2)
INPUT_TOKENS, OUTPUT_TOKENS = 10, 100  # so a token of a costs 0.01 USD, and one of b 0.02, unless there are prices


def rows_of(n: int, **others: Any) -> Rows:
    """Return n queries, all alike."""
    return Rows(
        embeddings=np.eye(n, 2, dtype=np.float32),
        input_tokens=np.full(n, INPUT_TOKENS),
        quality=np.tile(QUALITY, (n, 1)),
        cost_usd=np.tile(COST_USD, (n, 1)),
        output_tokens=np.full((n, 2), OUTPUT_TOKENS),
        confidence=np.tile([0.2, 0.9], (n, 1)),
        capped_quality=np.tile(AT_CAPS, (n, 1, 1)),
        **others,
    )


def world(
    n: int,
    *,
    service: Service = Instant(),  # noqa: B008 - a frozen dataclass
    budget: BudgetRule = Unlimited(),  # noqa: B008 - likewise
    deployments: Sequence[Deployment] | None = None,
    rows: Rows | None = None,
    workload: dict[str, Any] | None = None,
    **settings: Any,
) -> Instance:
    """One query a second at models a and b."""
    rows = rows or rows_of(n)
    fleet = Listed(deployments or [Deployment(name, name, service) for name in ("a", "b")])
    of = Workload(("a", "b"), rows, rows, **{"caps": CAPS, **(workload or {})})
    return realise(Scenario(of, fleet, budget, At(tuple(map(float, range(n)))), given, **settings), 0, 0)


def run(policy: Policy, instance: Instance) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Return the request table and the call table of a run, checked."""
    table = simulate("p", policy, instance, EstimateCache().get(None, instance), np.random.default_rng(0))
    calls = None if table.calls is None else call_frame(table.calls, instance)
    requests = frame(table, instance)
    check(requests, fleet_table(instance), calls)
    return requests, calls
