"""What a policy must not see of tasks: steps that have not come, how many will, and what they earn."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders.exchangeable import shuffled
from scenarios.workloads.agent_tasks import agent_tasks
from sim.interface import Decision, Policy, Query, State
from sim.scenario import Scenario
from sim.study.contract import causal_fence, counterfactual_fence, history_fence, reset_forgets
from sim.study.contract.worlds import World
from sim.study.oracles import EstimateCache
from sim.workload.tasks import TaskLimits
from sim.world.services.slots import Slots
from tests.configured import NAMES, QUICK, configured_policy

WORKLOAD = agent_tasks(n_queries=25, n_history=20, mean_steps=5, dim=8)
BUSY = Scenario(
    WORKLOAD,
    OnePerModel(Slots(2, 0.2, 0.01)),
    Weighted(total=2.0),
    Poisson(rate_per_s=1.0),
    shuffled,
    task=TaskLimits(budget_usd=0.05, deadline_s=60.0),
)
ESTIMATES = EstimateCache()


SLOW = ("steward", "batch_split")
NAMES_HERE = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in QUICK] + [
    pytest.param(name, marks=pytest.mark.slow) for name in NAMES if name not in QUICK
]


@pytest.mark.parametrize("name", sorted(NAMES_HERE, key=str))
def test_every_shipped_policy_passes_the_fences_on_tasks(name: str) -> None:
    for check in (counterfactual_fence, causal_fence, reset_forgets):
        check(lambda: configured_policy(name), BUSY, 0, ESTIMATES)


class Peeks(Policy):
    """Looks a fact up in the world that it was never told, by the step that asks."""

    worlds: list[World] = []  # noqa: RUF012 - set by the test, as no honest way leads there

    def __init__(self, fact: Callable[[World, Query], float]) -> None:
        self.fact = fact

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(self.fact(self.worlds[-1], query) * 1000) % 3)


def rows_of(world: World, query: Query) -> slice:
    tasks = world.instance.tasks
    assert tasks is not None
    assert query.task is not None
    return slice(int(tasks.begins[query.task.id]), int(tasks.begins[query.task.id + 1]))


def how_long_the_task_is(world: World, query: Query) -> float:
    rows = rows_of(world, query)
    return float(rows.stop - rows.start) / 1000


def what_comes_next(world: World, query: Query) -> float:
    return float(world.instance.features.embeddings[rows_of(world, query)][-1].sum())


def what_the_last_step_would_earn(world: World, query: Query) -> float:
    return float(world.instance.quality[rows_of(world, query)][-1].sum())


def how_long_tools_take(world: World, query: Query) -> float:
    assert world.instance.tasks is not None
    return float(world.instance.tasks.steps.tool_s[rows_of(world, query)].sum())


@pytest.mark.parametrize(
    "fact", [how_long_the_task_is, what_comes_next, what_the_last_step_would_earn, how_long_tools_take]
)
def test_a_policy_that_knows_what_is_still_to_come_of_a_task_is_caught(
    fact: Callable[[World, Query], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = World.run

    def watched(world: World, policy: Policy, asks: bool = False) -> object:
        Peeks.worlds.append(world)
        return real(world, policy, asks)

    monkeypatch.setattr(World, "run", watched)
    with pytest.raises(AssertionError, match=r"it saw a query that had not arrived|it saw the outcome"):
        causal_fence(lambda: Peeks(fact), BUSY, 0, ESTIMATES)


def test_what_other_models_would_have_made_of_a_step_is_redrawn_with_what_they_hold() -> None:
    class Honest(Policy):
        def decide(self, query: Query, state: State) -> Decision:
            return Decision(query.id % 3)

    counterfactual_fence(Honest, BUSY)


def test_the_share_that_is_cached_of_a_model_without_history_is_not_looked_up_in_what_is_hidden() -> None:
    class ByEstimate(Policy):
        def decide(self, query: Query, state: State) -> Decision:
            return Decision(int(np.argmin(query.cost_hat)))

    history_fence(ByEstimate, replace(BUSY, profiled={"agent-small": 0}))
