"""Two tasks on two models, small enough to check by hand.

Task x has three steps and y one. Every step costs 1 USD on model a and 2 on b; at the model of the step before 0.5 and
1. Inputs of x have 10, 30 and 50 tokens, of which 10 and 30 are held. Tools take 5 s. Answers are right on b, on a all
but that to the second step of x.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from scenarios.budgets import Unlimited
from scenarios.fleets import Listed
from scenarios.orders import given
from sim.deployment import Deployment, Service
from sim.instance import Instance, realise
from sim.interface import Decision, Feedback, Policy, Query, State
from sim.scenario import Scenario
from sim.study.oracles import EstimateCache
from sim.study.record.task_checks import check_tasks
from sim.workload import Rows, Workload
from sim.workload.tasks import Steps
from sim.world.record import frame
from sim.world.record.tasks import task_frame
from sim.world.services.slots import Slots
from sim.world.world import simulate
from tests.scripted import At

SECOND = Slots(10, 0.0, 0.01)  # an answer of 100 tokens takes 1 s


def rows() -> Rows:
    """Steps x1, y1, x2, x3, in this order of rows."""
    return Rows(
        embeddings=np.eye(4, 2, dtype=np.float32),
        input_tokens=np.array([10, 10, 30, 50]),
        quality=np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]),
        cost_usd=np.tile([1.0, 2.0], (4, 1)),
        output_tokens=np.full((4, 2), 100),
        steps=Steps(
            task=np.array(["x", "y", "x", "x"], dtype=object),
            step=np.array([1, 1, 2, 3]),
            tool_s=np.array([0.0, 0.0, 5.0, 5.0]),
            cached_tokens=np.array([0, 0, 10, 30]),
            cached_cost_usd=np.array([[1.0, 2.0], [1.0, 2.0], [0.5, 1.0], [0.5, 1.0]]),
        ),
    )


@dataclass
class ByStep(Policy):
    """Sends each step of every task where it is told, and notes what it sees and learns."""

    script: Sequence[object]
    seen: list[Query] = field(default_factory=list)
    learned: list[Feedback] = field(default_factory=list)
    scored: list[Feedback] = field(default_factory=list)

    def decide(self, query: Query, state: State) -> Decision:
        self.seen.append(query)
        assert query.task is not None
        choice = self.script[query.task.step - 1]
        return choice if isinstance(choice, Decision) else Decision(choice)  # type: ignore[arg-type]

    def learn(self, feedback: Feedback) -> None:
        self.learned.append(feedback)

    def learn_score(self, feedback: Feedback) -> None:
        self.scored.append(feedback)


def scenario(
    service: Service = SECOND,
    change: Callable[[Rows], Rows] = lambda same: same,
    times: Sequence[float] = (0.0, 2.0),
    **settings: Any,
) -> Scenario:
    """Tasks x and y, which arrive at these times."""
    fleet = Listed([Deployment(name, name, service) for name in ("a", "b")])
    drawn = Scenario(Workload(("a", "b"), rows(), change(rows())), fleet, Unlimited(), At(tuple(times)), given)
    return replace(drawn, **settings)


def run(policy: Policy, described: Scenario | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the tables of requests and of tasks of a run, checked."""
    instance: Instance = realise(described or scenario(), seed=0, replication=0)
    estimates = EstimateCache().get(None, instance)
    table = simulate("scripted", policy, instance, estimates, np.random.default_rng(0))
    requests = frame(table, instance)
    assert table.tasks is not None
    tasks = task_frame(table.tasks, requests, instance)
    check_tasks(requests, tasks)
    return requests, tasks
