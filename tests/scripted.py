"""A policy that decides as written, and a world of two models for it, small enough to check by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Deployment, Service
from sim.instance import realise
from sim.interface import Decision, Feedback, FloatArray, Gate, Policy, Query, State
from sim.scenario import Arrivals, BudgetRule, Event, Retry, Scenario, TokenBucket, Window
from sim.scores import Scores
from sim.study.oracles import EstimateCache
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.services.slots import Instant
from sim.world.world import simulate


@dataclass(frozen=True)
class At:
    """Arrivals at given times."""

    times: tuple[float, ...]

    def times_s(self, n_queries: int, rng: np.random.Generator) -> FloatArray:
        return np.array(self.times)


@dataclass
class Scripted(Policy):
    """Decide as written, and note what was seen."""

    script: Sequence[object]
    gate: Gate = Gate()  # noqa: RUF009 - immutable
    states: list[tuple[float, list[int], list[int], list[float]]] = field(default_factory=list)
    learned: list[Feedback] = field(default_factory=list)

    def decide(self, query: Query, state: State) -> Decision:
        seen = (state.now_s, state.queued.tolist(), state.in_flight.tolist(), state.remaining.tolist())
        self.states.append(seen)
        step = self.script[query.id]
        return step if isinstance(step, Decision) else Decision(step)  # type: ignore[arg-type]

    def learn(self, feedback: Feedback) -> None:
        self.learned.append(feedback)


def run(
    policy: Policy,
    times: Sequence[float] | Arrivals,
    *,
    service: Service = Instant(),  # noqa: B008 - a frozen dataclass
    budget: BudgetRule = Unlimited(),  # noqa: B008 - likewise
    queue_capacity: int | None = None,
    tokens: Sequence[int] | None = None,
    n_queries: int = 0,
    deployments: Sequence[Deployment] | None = None,
    priority: Sequence[int] | None = None,
    due_s: Sequence[float] | None = None,
    exhausted: str = "fallback",
    events: Sequence[Event] = (),
    window: Window | TokenBucket | None = None,
    reserve: str = "true_cost",
    retry: Retry = Retry(),  # noqa: B008 - likewise
    state_refresh_s: float | None = None,
    decision_s: float = 0.0,
    feedback: Scores = Scores(),  # noqa: B008 - likewise
) -> pd.DataFrame:
    """Serve one query per time, each worth 0.5 for 1 USD on model a and 1.0 for 2 USD on model b."""
    n = n_queries or len(times)  # type: ignore[arg-type]
    rows = Rows(
        embeddings=np.eye(n, 2, dtype=np.float32),
        input_tokens=np.full(n, 10),
        quality=np.tile([0.5, 1.0], (n, 1)),
        cost_usd=np.tile([1.0, 2.0], (n, 1)),
        output_tokens=np.repeat(np.array(tokens or [100] * n)[:, None], 2, axis=1),
        priority=None if priority is None else np.array(priority),
        due_s=None if due_s is None else np.array(due_s),
    )
    fleet = Listed(deployments or [Deployment(name, name, service, queue_capacity) for name in ("a", "b")])
    scenario = Scenario(
        Workload(("a", "b"), rows, rows),
        fleet,
        budget,
        At(tuple(times)) if isinstance(times, Sequence) else times,
        given,
        exhausted,
        events,
        window,
        reserve,
        retry,
        state_refresh_s,
        decision_s,
        feedback=feedback,
    )
    instance = realise(scenario, seed=0, replication=0)
    estimates = EstimateCache().get(None, instance)
    return frame(simulate("scripted", policy, instance, estimates, np.random.default_rng(0)), instance)
