"""A world of two models in which prompts come again, small enough to check by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scenarios.budgets import Unlimited
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from sim.deployment import Service
from sim.instance import Instance, realise
from sim.interface import Decision, Feedback, FloatArray, Gate, Hit, Policy, Query, State
from sim.scenario import Arrivals, Scenario
from sim.study.fleet import fleet_table
from sim.study.oracles import EstimateCache
from sim.study.record.checks import check
from sim.workload import Rows, Workload
from sim.world.record import frame
from sim.world.record.calls import call_frame
from sim.world.services.slots import Slots
from sim.world.world import simulate
from tests.scripted import At

ONE_A_SECOND = Slots(8, 1.0, 0.0)  # every answer takes one second


@dataclass
class Notes(Policy):
    """Send every query to one deployment, and note what is seen and heard."""

    deployment: int = 0
    gate: Gate = Gate()  # noqa: RUF009 - immutable
    decided: list[tuple[int, float]] = field(default_factory=list)
    heard: list[Hit | Feedback] = field(default_factory=list)

    def decide(self, query: Query, state: State) -> Decision:
        self.decided.append((query.id, state.now_s))
        return Decision(self.deployment)

    def learn(self, feedback: Feedback) -> None:
        self.heard.append(feedback)

    def learn_hit(self, hit: Hit) -> None:
        self.heard.append(hit)


def world(
    prompts: Sequence[int],
    times: Sequence[float] | Arrivals,
    *,
    quality: npt.ArrayLike | None = None,
    cost_usd: npt.ArrayLike | None = None,
    embeddings: npt.ArrayLike | None = None,
    tokens: Sequence[int] | None = None,
    service: Service = ONE_A_SECOND,
    combined: Callable[[FloatArray], float] | None = None,
    **settings: Any,
) -> Instance:
    """One query per prompt, each worth 0.5 for 1 USD on model a and 1.0 for 2 USD on model b, 10 and 90 tokens long."""
    n = len(prompts)
    rows = Rows(
        embeddings=np.array(np.eye(n, 2) if embeddings is None else embeddings, dtype=np.float32),
        input_tokens=np.full(n, 10),
        quality=np.array(np.tile([0.5, 1.0], (n, 1)) if quality is None else quality, dtype=np.float64),
        cost_usd=np.array(np.tile([1.0, 2.0], (n, 1)) if cost_usd is None else cost_usd, dtype=np.float64),
        output_tokens=np.repeat(np.array(tokens or [90] * n)[:, None], 2, axis=1),
        prompt=np.array(prompts),
    )
    arrivals = At(tuple(times)) if isinstance(times, Sequence) else times
    workload = Workload(("a", "b"), rows, rows, combined=combined)
    settings = {"budget": Unlimited(), **settings}
    return realise(
        Scenario(workload, OnePerModel(service), arrivals=arrivals, order=given, **settings), seed=0, replication=0
    )


def run(policy: Policy, instance: Instance) -> pd.DataFrame:
    """Return the request table of a run, checked."""
    table = simulate("p", policy, instance, EstimateCache().get(None, instance), np.random.default_rng(0))
    requests = frame(table, instance)
    calls = None if table.calls is None else call_frame(table.calls, instance)
    check(requests, fleet_table(instance), calls)
    return requests
