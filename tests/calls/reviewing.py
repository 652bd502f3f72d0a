"""A policy that reviews as written, and a world of three models for it, small enough to check by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Deployment, Service
from sim.instance import Instance, realise
from sim.interface import Answer, Combine, Decision, Feedback, FloatArray, Keep, Policy, Query, State
from sim.scenario import BudgetRule, Scenario
from sim.study.fleet import fleet_table
from sim.study.oracles import EstimateCache
from sim.study.record.checks import check
from sim.workload import Rows, Workload
from sim.world.record import RequestTable, frame
from sim.world.record.calls import call_frame
from sim.world.services.slots import Slots
from sim.world.world import simulate
from tests.scripted import At

MODELS = ("small", "medium", "large")
QUALITY = (0.25, 0.5, 1.0)
COST_USD = (1.0, 2.0, 4.0)
CONFIDENCE = (0.1, 0.6, 0.9)
ONE_A_SECOND = Slots(8, 1.0, 0.0)  # every answer takes one second, all of it before the first token

Review = Callable[[Query, Sequence[Answer], State], Decision | Keep | Combine]


@dataclass
class Reviewed(Policy):
    """Decide the same for every query, review as written, and note what was seen."""

    first: Decision
    then: Review
    seen: list[tuple[float, int, tuple[Answer, ...]]] = field(default_factory=list)
    learned: list[Feedback] = field(default_factory=list)

    def decide(self, query: Query, state: State) -> Decision:
        return self.first

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep | Combine:
        self.seen.append((state.now_s, query.id, tuple(answers)))
        return self.then(query, answers, state)

    def learn(self, feedback: Feedback) -> None:
        self.learned.append(feedback)


def keep_last(query: Query, answers: Sequence[Answer], state: State) -> Keep:
    """Keep the answer that was asked for last."""
    return Keep(len(answers) - 1)


def climb(query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
    """Ask the next larger model until the largest has been asked."""
    return keep_last(query, answers, state) if answers[-1].deployment == 2 else Decision(answers[-1].deployment + 1)


def world(
    times_s: Sequence[float],
    *,
    service: Service = ONE_A_SECOND,
    budget: BudgetRule = Unlimited(),  # noqa: B008 - a frozen dataclass
    deployments: Sequence[Deployment] | None = None,
    combined: Callable[[FloatArray], float] | None = None,
    has_confidence: bool = True,
    **settings: Any,
) -> Instance:
    """One query per time: worth 0.25, 0.5, 1.0 for 1, 2, 4 USD on the small, the medium and the large model."""
    n = len(times_s)
    rows = Rows(
        embeddings=np.eye(n, 2, dtype=np.float32),
        input_tokens=np.full(n, 10),
        quality=np.tile(QUALITY, (n, 1)),
        cost_usd=np.tile(COST_USD, (n, 1)),
        output_tokens=np.full((n, 3), 100),
        confidence=np.tile(CONFIDENCE, (n, 1)) if has_confidence else None,
    )
    fleet = Listed(deployments or [Deployment(name, name, service) for name in MODELS])
    workload = Workload(MODELS, rows, rows, combined=combined)
    return realise(Scenario(workload, fleet, budget, At(tuple(times_s)), given, **settings), seed=0, replication=0)


def table_of(policy: Policy, instance: Instance) -> RequestTable:
    """Run a policy named ``p``."""
    return simulate("p", policy, instance, EstimateCache().get(None, instance), np.random.default_rng(0))


def run(policy: Policy, instance: Instance) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the request table and the call table of a run, checked."""
    table = table_of(policy, instance)
    assert table.calls is not None
    requests, calls = frame(table, instance), call_frame(table.calls, instance)
    check(requests, fleet_table(instance), calls)
    return requests, calls
