"""A world with limits, small enough to check by hand: model a takes 1 USD and 0.5 of quality a query, b 2 USD and 1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Deployment, Service
from sim.instance import realise
from sim.interface import Policy
from sim.scenario import BudgetRule, Scenario
from sim.spending import Spending
from sim.study.experiment import Run, runs
from sim.study.oracles import Oracle
from sim.workload import Rows, Workload
from sim.world.services.slots import Instant
from tests.scripted import At

AT_EIGHT = "2024-05-10T20:00+02:00"  # a Friday; midnight is 14,400 s away


@dataclass
class Metered:
    """What became of a run: the fates of its queries, and its tables."""

    run: Run

    @property
    def fates(self) -> list[str]:
        return self.run.requests["fate"].astype(str).tolist()

    @property
    def served_by(self) -> list[str]:
        return self.run.requests["deployment"].astype(str).tolist()

    def of(self, limit: str, column: str) -> list[Any]:
        """A column of the periods of one limit."""
        assert self.run.limits is not None
        periods = self.run.limits[0]
        values: list[Any] = periods.loc[periods["limit"] == limit, column].tolist()
        return values

    @property
    def alerts(self) -> pd.DataFrame:
        assert self.run.limits is not None
        return self.run.limits[1]


def scenario(
    times: Sequence[float],
    limits: Mapping[str, Any],
    *,
    sources: Sequence[str] | None = None,
    service: Service = Instant(),  # noqa: B008 - a frozen dataclass
    budget: BudgetRule = Unlimited(),  # noqa: B008 - likewise
    deployments: Sequence[Deployment] | None = None,
    cost_usd: Sequence[float] = (1.0, 2.0),
    estimated_usd: Sequence[float] | None = None,
    spending: Mapping[str, Any] | None = None,
    **more: Any,
) -> Scenario:
    """One query per time, with limits that are read in euros or dollars by the settings of spending."""
    n = len(times)

    def rows(costs: Sequence[float]) -> Rows:
        return Rows(
            embeddings=np.eye(n, 2, dtype=np.float32),
            input_tokens=np.full(n, 10),
            quality=np.tile([0.5, 1.0], (n, 1)),
            cost_usd=np.tile(np.array(costs, float), (n, 1)),
            output_tokens=np.full((n, 2), 100),
            source=None if sources is None else np.array(sources),
        )

    fleet = Listed(deployments or [Deployment(name, name, service) for name in ("a", "b")])
    workload = Workload(("a", "b"), rows(estimated_usd or cost_usd), rows(cost_usd))
    of_spending = Spending(dict(limits), **(spending or {}))
    return Scenario(workload, fleet, budget, At(tuple(times)), given, spending=of_spending, **more)


def metered(policy: Policy, times: Sequence[float], limits: Mapping[str, Any], **more: Any) -> Metered:
    """Run a policy on such a world; every check of a run passes."""
    world = scenario(times, limits, **more)
    (run,) = runs(world, {"policy": policy}, 0, 1, Oracle(()), {})
    return Metered(run)


def realised(times: Sequence[float], limits: Mapping[str, Any], **more: Any) -> None:
    """Draw such a world, for what is refused before a run."""
    realise(scenario(times, limits, **more), 0, 0)
