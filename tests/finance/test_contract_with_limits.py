"""The contract of a policy beside limits: refusals are all that it sees of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited, Weighted
from scenarios.fleets import OnePerModel
from scenarios.orders import given
from scenarios.workloads.synthetic import synthetic
from sim.interface import Answer, Decision, Keep, Policy, Query, State
from sim.scenario import Scenario
from sim.spending import Spending
from sim.study.contract import asking_changes_nothing, causal_fence, counterfactual_fence, reset_forgets
from sim.study.experiment import runs
from sim.study.oracles import EstimateCache, Oracle
from sim.world.services.slots import Slots
from tests.configured import configured_policy

WORKLOAD = synthetic(n_queries=120, n_history=100, n_models=4, dim=8, seed=1)
SLOTS = OnePerModel(Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005), queue_capacity=4)
LATE = "2024-05-31T23:59:58"  # a day and a month begin two seconds later
LIMITS = Spending({"total": "0.006 a day", "claude-v1": "0.003 an hour soft", "topic-03": 0.0005}, LATE)
PLAIN = Scenario(WORKLOAD, SLOTS, Weighted(total=4.0), Poisson(20), given, spending=LIMITS)
WORLDS = {
    "budgets and limits": PLAIN,
    "limits alone, by estimates": replace(PLAIN, budget=Unlimited(), reserve="estimate"),
    "limits alone, users who wait": replace(
        PLAIN, budget=Unlimited(), arrivals=ClosedLoop(12, mean_think_s=0.3), exhausted="wait"
    ),
}
ESTIMATES = {world: EstimateCache() for world in WORLDS}


class Asks(Policy):
    """Asks a second deployment where the first did not answer."""

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(query.id % 4, ((query.id + 1) % 4,))

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        if len(answers) == 1 and not answers[0].came:
            return Decision(3)
        return super().review(query, answers, state)  # type: ignore[return-value]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", ["asks", "port", "port_fallback", "mirror_descent_entropic"])
def test_an_honest_policy_keeps_the_contract_beside_limits(name: str, world: str) -> None:
    fresh: Callable[[], Policy] = Asks if name == "asks" else lambda: configured_policy(name)
    counterfactual_fence(fresh, WORLDS[world], estimates=ESTIMATES[world])
    causal_fence(fresh, WORLDS[world], estimates=ESTIMATES[world])
    reset_forgets(fresh, WORLDS[world], estimates=ESTIMATES[world])
    asking_changes_nothing(fresh, WORLDS[world], estimates=ESTIMATES[world])


def test_the_limits_of_these_worlds_refuse_queries_before_and_after_midnight() -> None:
    for scenario in WORLDS.values():
        (run,) = runs(scenario, {"asks": Asks()}, 0, 1, Oracle(()), {})
        assert run.limits is not None
        refused = run.limits[0].groupby(["limit", "period"])["refused"].sum()
        assert min(refused["total", 0], refused["total", 1], refused["topic-03", 0]) > 0
