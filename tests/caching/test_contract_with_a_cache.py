"""The contract of a policy behind a cache: it hears of hits, never what they are worth, and cheats are caught."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from scenarios.arrivals.closed import ClosedLoop
from scenarios.arrivals.renewal import Poisson
from scenarios.budgets import Unlimited, Weighted
from scenarios.caches.gdsf import GreedyDualSizeFrequency
from scenarios.caches.least_expected_cost import LeastExpectedCost
from scenarios.caches.lru import LeastRecentlyUsed
from scenarios.fleets import OnePerModel
from scenarios.orders.popular import Zipf
from scenarios.workloads.synthetic import synthetic
from sim.interface import Answer, Decision, Gate, Hit, Keep, Policy, Query, Setting, State
from sim.scenario import Scenario
from sim.study.contract import asking_changes_nothing, causal_fence, counterfactual_fence, reset_forgets
from sim.study.contract.worlds import world_of
from sim.study.oracles import EstimateCache
from sim.world.services.slots import Slots
from tests.configured import MOST_SLOW, configured_policy
from tests.policies.test_fences import truth

WORKLOAD = synthetic(n_queries=120, n_history=100, n_models=4, dim=8, seed=1)
SLOTS = OnePerModel(Slots(slots=2, time_to_first_token_s=0.1, time_per_output_token_s=0.005), queue_capacity=4)
PLAIN = Scenario(WORKLOAD, SLOTS, Weighted(total=1.0), Poisson(20), Zipf(0.8), n_queries=160)
WORLDS = {
    "the same prompt": replace(PLAIN, cache=LeastRecentlyUsed(30, expires_s=4.0)),
    "similar prompts, tokens, and a look-up": replace(
        PLAIN, cache=GreedyDualSizeFrequency(None, 8000, similarity=0.6, lookup_s=0.04)
    ),
    "users, estimates and a slow decision": replace(
        PLAIN,
        budget=Unlimited(),
        arrivals=ClosedLoop(12, mean_think_s=0.3),
        cache=LeastExpectedCost(20, similarity=0.7),
        decision_s=0.02,
    ),
}
ESTIMATES = {world: EstimateCache() for world in WORLDS}
GATED = 12  # queries in a batch at most, so that there are several


def shipped(name: str) -> Callable[[], Policy]:
    def fresh() -> Policy:
        policy = configured_policy(name)
        if policy.gate.size > GATED:
            policy.gate = Gate(GATED, min(policy.gate.window_s, 0.5))
        return policy

    return fresh


@pytest.mark.parametrize("name", MOST_SLOW)
def test_every_shipped_policy_keeps_the_contract_behind_a_cache(name: str) -> None:
    world = "similar prompts, tokens, and a look-up"
    counterfactual_fence(shipped(name), WORLDS[world], estimates=ESTIMATES[world])
    causal_fence(shipped(name), WORLDS[world], estimates=ESTIMATES[world])


class Asks(Policy):
    """Asks a second deployment where the first took long, and begins where most hits come from."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self.hits = np.zeros(len(setting.fleet))

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(int(self.hits.argmax()) if query.id % 3 else int(self.hits.argmin()))

    def review(self, query: Query, answers: Sequence[Answer], state: State) -> Decision | Keep:
        if len(answers) == 1 and not (answers[0].came and answers[0].latency_s < 1):
            return Decision(3)
        return super().review(query, answers, state)  # type: ignore[return-value]

    def learn_hit(self, hit: Hit) -> None:
        self.hits[hit.deployment] += hit.similarity


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("fresh", [Asks, shipped("port"), shipped("batch_split")], ids=["asks", "port", "batch_split"])
def test_an_honest_policy_keeps_the_contract_behind_every_cache(fresh: Callable[[], Policy], world: str) -> None:
    counterfactual_fence(fresh, WORLDS[world], estimates=ESTIMATES[world])
    causal_fence(fresh, WORLDS[world], estimates=ESTIMATES[world])
    reset_forgets(fresh, WORLDS[world], estimates=ESTIMATES[world])
    asking_changes_nothing(fresh, WORLDS[world], estimates=ESTIMATES[world])


def test_the_worlds_have_hits_of_the_same_prompt_and_of_similar_ones_and_misses() -> None:
    for scenario in WORLDS.values():
        requests, _, decisions = world_of(None, scenario, 0, None).run(Asks())
        assert 20 < (requests["fate"] == "cached").sum() < 140
        assert len([number for number, n_calls in decisions if n_calls == 0]) == (requests["fate"] != "cached").sum()


class KnowsTheWorthOfHits(Policy):
    """Turns elsewhere when an answer from the cache was not right, though nobody says so."""

    def reset(self, setting: Setting, rng: np.random.Generator) -> None:
        self.wrong = 0

    def decide(self, query: Query, state: State) -> Decision:
        return Decision(self.wrong % 4)

    def learn_hit(self, hit: Hit) -> None:
        self.wrong += truth().quality[hit.query.id, hit.deployment] < 0.5


@pytest.mark.parametrize("world", WORLDS)
def test_what_an_answer_from_the_cache_is_worth_is_hidden(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a query that was not finished"):
        causal_fence(KnowsTheWorthOfHits, WORLDS[world])


class KnowsOtherOutcomesOfHits(KnowsTheWorthOfHits):
    """Knows what a deployment would have answered that was not asked."""

    def learn_hit(self, hit: Hit) -> None:
        self.wrong += truth().quality[hit.query.id, (hit.deployment + 1) % 4] < 0.5


@pytest.mark.parametrize("world", WORLDS)
def test_outcomes_of_other_deployments_on_a_hit_are_hidden(world: str) -> None:
    with pytest.raises(AssertionError, match=r"query \d+, .*: it saw the outcome of a deployment that"):
        counterfactual_fence(KnowsOtherOutcomesOfHits, WORLDS[world])
